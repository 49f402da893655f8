"""Sekisho, a self-hosted identity server whose API is GraphQL."""

__version__ = "0.1.0"
