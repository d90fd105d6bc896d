"""Test vectors: calls and runs with their right results as plain JSON, for any language; docs/vectors.md describes them."""
