"""What a user agent calls itself, as a person reads it. Pure.

The order tells: later names stand in the texts of earlier ones too, since browsers pretend to be
each other.
"""

_SYSTEMS = (
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def readable(user_agent: str | None) -> str | None:
    """Give `<system> (<browser>)`, or None where neither is known."""
    if user_agent is None:
        return None
    system, browser = _first(_SYSTEMS, user_agent), _first(_BROWSERS, user_agent)
    if system is None or browser is None:
        return system or browser
    return f"{system} ({browser})"


def _first(names: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((shown for mark, shown in names if mark in text), None)
