"""Statements of R chapter 2."""
