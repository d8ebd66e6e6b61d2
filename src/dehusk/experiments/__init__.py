"""One file a published claim: what it says, what should come out, and a run that anyone can repeat."""
