"""The command `sekisho`: thin commands over the services."""

from app.cli.main import main

__all__ = ["main"]
