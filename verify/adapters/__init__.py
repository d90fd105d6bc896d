"""Candidates made from other libraries' optimizers; each adapter imports its library when it is used, not before."""
