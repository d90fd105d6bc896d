"""Statements of R chapter 4."""
