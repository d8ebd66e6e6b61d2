"""Every method on one user's data: fitted on the same splits, looked at with the same readings."""
