"""The ledger: every statement of both works, machine-checked, refuted, or said not to be checkable."""
