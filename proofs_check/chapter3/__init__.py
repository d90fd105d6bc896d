"""Statements of R chapter 3."""
