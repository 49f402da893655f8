"""What the checks of contradictions share."""

from collections.abc import Callable
from urllib.parse import urlsplit

from app.text import is_printable

Refuse = Callable[[str], None]
"""Takes a sentence for each thing that is wrong."""


def is_web(url: str) -> bool:
    """Say whether a setting is an absolute URL of the web, and nothing odd."""
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken IPv6 address, or no port
        return False
    return (
        parts.scheme in ("http", "https")
        and has_place
        and parts.username is None
        and not parts.fragment
        and is_printable(url)
        and " " not in url
    )
