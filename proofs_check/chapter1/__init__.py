"""Statements of R chapter 1."""
