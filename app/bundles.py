"""Pages that are bundled from npm packages: the files of one, and what its page names.

The files are built by bundling/build.py. A folder is listed once, when it is first asked for: a
name outside that listing finds nothing, whatever dots and slashes it has.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ASSET_CACHE_CONTROL = "public, max-age=31536000, immutable"
"""Fit for every asset, since its name carries a hash of its content."""

_MANIFEST = "manifest.json"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ttf": "font/ttf",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the build of one page has made."""

    folder: Path
    path: str
    """Where the server hands the files out, with a slash at the end."""
    content_security_policy: str
    """The policy that comes with them."""

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """Find a file by its bare name: its content and its media type."""
        path = _listing(self.folder).get(name)
        return None if path is None else (_content(path), _MEDIA_TYPES[path.suffix])

    def urls(self) -> dict[str, str] | None:
        """Give the URLs of the script and the style sheet; None where they are not built."""
        entry = _entry(self.folder)
        return None if entry is None else {part: self.path + name for part, name in entry.items()}


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
    """Read which files a page names; nothing if any of them is missing."""
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        return None
    entry: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    return entry if _listing(folder).keys() >= set(entry.values()) else None
