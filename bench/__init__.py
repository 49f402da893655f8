"""Measures the server beside the least that could answer the same question; `python -m bench`."""
