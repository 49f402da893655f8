"""The page that a browser gets at /graphql, and the files that the page loads.

The files are built by explorer/build.py into the folder static/. The folder is listed once, when
it is first asked for: a name outside that listing finds nothing, whatever dots and slashes it has.
"""

import json
from functools import cache
from html import escape
from pathlib import Path

ASSET_PATH = "/graphql/assets/"
"""Where the server hands out what `asset` finds."""

ASSET_CACHE_CONTROL = "public, max-age=31536000, immutable"
"""Fit for every asset, since its name carries a hash of its content."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "worker-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the editor writes style elements and attributes
    "img-src 'self' data:; "  # the editor draws its squiggles as data: images
    "font-src 'self'; "
    "connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The policy for the page and its assets: no other host, no inline script, no framing."""

STATIC = Path(__file__).parent / "static"
_MANIFEST = "manifest.json"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ttf": "font/ttf",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>GraphQL · Sekisho</title>
<link rel="icon" href="data:,">
{head}</head>
<body>
{body}</body>
</html>
"""
_LINKS = '<link rel="stylesheet" href="{style}">\n<script type="module" src="{script}"></script>\n'
_BUILT = '<div id="explorer"></div>\n<noscript>The explorer needs JavaScript.</noscript>\n'
_NOT_BUILT = (
    "<p>The GraphQL explorer is not built yet: run <code>make explorer</code>, then restart the "
    "server.</p>\n"
)


def is_built(folder: Path = STATIC) -> bool:
    """Say whether the explorer's files are there."""
    return _entry(folder) is not None


@cache
def page(folder: Path = STATIC) -> bytes:
    """Write the page: the explorer, or one sentence that says how to build it."""
    entry = _entry(folder)
    if entry is None:
        return _PAGE.format(head="", body=_NOT_BUILT).encode()
    urls = {part: escape(ASSET_PATH + name) for part, name in entry.items()}
    return _PAGE.format(head=_LINKS.format(**urls), body=_BUILT).encode()


def asset(name: str, folder: Path = STATIC) -> tuple[bytes, str] | None:
    """Find a file of the explorer by its bare name: its content and its media type."""
    path = _listing(folder).get(name)
    return None if path is None else (_content(path), _MEDIA_TYPES[path.suffix])


@cache
def _listing(folder: Path) -> dict[str, Path]:
    """List what may be served: the plain files of the known kinds."""
    if not folder.is_dir():
        return {}
    return {
        path.name: path
        for path in folder.iterdir()
        if path.suffix in _MEDIA_TYPES and path.is_file() and not path.is_symlink()
    }


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _entry(folder: Path) -> dict[str, str] | None:
    """Read which script and style sheet the page names; nothing if any of them is missing."""
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        return None
    entry: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    return entry if _listing(folder).keys() >= set(entry.values()) else None
