"""Statements of W: grouped Newton with an anisotropic cubic term."""
