"""The ledger: the papers' statements, machine-checked (nothing here yet)."""
