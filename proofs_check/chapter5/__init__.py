"""Statements of R chapter 5."""
