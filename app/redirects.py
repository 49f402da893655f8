r"""Where a browser may be sent back to: one matcher, for OAuth and for SAML (SEC-082). Pure.

A target is parsed once, into scheme, host, port and the rest; what does not parse is refused, and
what does not is never repaired. A pattern is parsed the same way, and each part is compared with
its own. In the rest `*` is a run without `.` and `/`, `**` any run, `?` one character, `[abc]` one
of some, `{x,y}` one or the other, `\` takes the next as it is. In the host `*` is a part of a
label and `**` any run, always left of a literal domain; a trailing `**` adds nothing to the host.
Schemes other than http and https have to stand on the list literally, target and all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

LONGEST = 2000
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,63})://"
    r"(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?)"
)
_PATTERN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/]+)(?P<rest>(?:/.*)?)", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._*?-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_CLIMBING = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
_WEB = ("http", "https")
_ACTIVE = ("javascript", "data", "vbscript", "file", "blob", "about", "view-source")
_OPEN_END = "**"
_STARS = ("*", _OPEN_END)
_SEPARATORS = "./"
_MOST_ALTERNATIVES = 64
_PLAIN = re.compile(r"[^*?\[\]{}\\]+")
OURS = ("hanko_token", "saml_hint", "error", "error_description")
"""The parameters that we write; a target's own are taken away."""


@dataclass(frozen=True, slots=True)
class Redirects:
    """The targets that are allowed; entries that cannot be read allow nothing.

    Args:
        allowed: URLs and patterns, as configured.
    """

    allowed: Sequence[str]
    _patterns: list["_Pattern"] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Read the patterns once."""
        self._patterns.extend(read for entry in self.allowed if (read := _read(entry)))

    def allow(self, target: str) -> bool:
        """Say whether a browser may be sent to *target*."""
        trimmed = target.removesuffix("/")
        parsed = _URL.fullmatch(trimmed) if len(target) <= LONGEST else None
        if parsed is None or _climbs(parsed["rest"]):
            return False
        if parsed["scheme"] not in _WEB:
            return parsed["scheme"].lower() not in _ACTIVE and self._names(target)
        return any(pattern.matches(parsed) for pattern in self._patterns)

    def _names(self, target: str) -> bool:
        """Say whether a target of an application's own scheme stands on the list, to the letter."""
        return target in self.allowed and _PLAIN.fullmatch(target) is not None


def joined(target: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to a URL that may have a query and a fragment already (W-15).

    What the target itself says under our names is taken away: a link to us must not hand over a
    token that somebody else has put there.
    """
    rest, mark, fragment = target.partition("#")
    base, _, query = rest.partition("?")
    kept = [part for part in query.split("&") if part and _name(part) not in OURS]
    added = urlencode(parameters, quote_via=quote_plus, errors="replace")
    return f"{base}?{'&'.join([*kept, added])}{mark}{fragment}"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An entry of the list."""

    scheme: str
    host: str
    port: str | None
    is_open: bool
    rests: tuple[str, ...]

    def matches(self, url: re.Match[str]) -> bool:
        if url["scheme"] != self.scheme or not _same_host(self.host, url["host"]):
            return False
        if self.is_open:
            return self.port is None or url["port"] == self.port
        return url["port"] == self.port and any(_matches(one, url["rest"]) for one in self.rests)


def _read(entry: str) -> _Pattern | None:
    """Read an entry, or give None where it cannot be one of the web."""
    parts = _PATTERN.fullmatch(entry)
    if parts is None:
        return None
    authority, rest = parts["authority"], parts["rest"]
    is_open = authority.endswith(_OPEN_END) and not rest
    named = _AUTHORITY.fullmatch(authority.removesuffix(_OPEN_END) if is_open else authority)
    if named is None or not _is_anchored(named["host"]):
        return None
    rests = tuple(_alternatives(rest))
    if len(rests) > _MOST_ALTERNATIVES:
        return None
    return _Pattern(parts["scheme"], named["host"], named["port"], is_open, rests)


def _is_anchored(host: str) -> bool:
    """Say whether a host's wildcards all stand left of a literal domain."""
    if not set(host) & set("*?"):
        return True
    last = max(host.rfind("*"), host.rfind("?"))
    return re.fullmatch(r"\.[A-Za-z0-9-][A-Za-z0-9.-]*", host[last + 1 :]) is not None


def _same_host(pattern: str, host: str) -> bool:
    if host == pattern:
        return True
    if not set(pattern) & set("*?") or ".." in host or host.startswith((".", "[")):
        return False
    return _matches(pattern, host)


def _climbs(rest: str) -> bool:
    """Say whether a path leaves the folder it seems to be in, or names an empty one."""
    path = re.split(r"[?#]", rest, maxsplit=1)[0]
    return "//" in path or _CLIMBING.search(path) is not None


def _name(part: str) -> str:
    """Read the name of a query's parameter as a lenient reader would."""
    name = part.partition("=")[0]
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda hit: chr(int(hit[1], 16)), name).strip()


def _alternatives(glob: str) -> Iterator[str]:
    """Write out the alternatives in braces, each as a glob of its own; at most one too many."""
    waiting, written = [glob], 0
    while waiting and written <= _MOST_ALTERNATIVES:
        one = waiting.pop()
        found = re.search(r"(?<!\\)\{([^{}]*)(?<!\\)\}", one)
        if found is None:
            written += 1
            yield one
        else:
            ends = one[: found.start()], one[found.end() :]
            waiting += [ends[0] + choice + ends[1] for choice in found[1].split(",")]


def _matches(glob: str, text: str) -> bool:
    """Match all of a text, in time that grows with the product of the lengths (SEC-124)."""
    tokens = _tokens(glob)
    at = _reached({0}, tokens)
    for char in text:
        at = _reached({n for place in at for n in _after(place, tokens, char)}, tokens)
        if not at:
            return False
    return len(tokens) in at


def _reached(places: set[int], tokens: Sequence[str]) -> set[int]:
    """Add the places that are reached by reading nothing: behind a star."""
    found = set(places)
    for place in sorted(places):
        here = place
        while here < len(tokens) and tokens[here] in _STARS:
            here += 1
            found.add(here)
    return found


def _after(place: int, tokens: Sequence[str], char: str) -> Iterator[int]:
    """Give where one character leads from a place in the glob."""
    if place == len(tokens):
        return
    piece = tokens[place]
    if piece in _STARS:
        if piece == _OPEN_END or char not in _SEPARATORS:
            yield place
    elif _takes(piece, char):
        yield place + 1


def _takes(piece: str, char: str) -> bool:
    """Say whether a piece of a glob that stands for one character stands for this one."""
    if piece[0] == "\\":
        return piece[1] == char
    if char in _SEPARATORS:
        return False
    return piece == "?" or _is_member(piece[1:-1], char)


def _is_member(members: str, char: str) -> bool:
    negated = members.startswith("!")
    listed = members.removeprefix("!")
    ranges = re.findall(r"(.)-(.)", listed)
    singles = re.sub(r".-.", "", listed)
    inside = char in singles or any(low <= char <= high for low, high in ranges)
    return inside != negated


def _tokens(glob: str) -> list[str]:
    r"""Take a glob apart; a literal character is written with a `\` before it."""
    tokens = []
    for found in re.finditer(r"\\.|\*\*|\*|\?|\[[^\]]+\]|.", glob, re.DOTALL):
        text = found[0]
        is_special = text[0] in "*?\\" or (text[0] == "[" and len(text) > 1)
        tokens.append(text if is_special and text != "\\" else f"\\{text}")
    return tokens
