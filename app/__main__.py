"""`python -m app` is the command `sekisho`."""

from app.cli import main

main()
