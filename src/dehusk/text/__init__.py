"""Text into units: words, characters, canonical forms."""
