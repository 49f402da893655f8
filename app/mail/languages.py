"""Chooses a language: quality values of RFC 9110 §12.5.4, look-up of RFC 4647 §3.4."""

import re
from collections.abc import Iterable

DEFAULT = "en"
_LONGEST = 500
_RANGE = re.compile(r"[a-z]{1,8}(-[a-z0-9]{1,8})*", re.ASCII)
_WEIGHT = re.compile(r"[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def choose(known: Iterable[str], *wishes: str | None) -> str:
    """Give the first of the *known* languages that is wished for, English if none is.

    Args:
        known: The tags there are, as BCP 47 writes them.
        wishes: Strongest first: an explicit language, the user's locale, an Accept-Language. Each
            may be one tag or a weighted list; what is not understood wishes for nothing.
    """
    tags = _by_name(known)
    for wish in wishes:
        for wanted in _ranges(wish or ""):
            found = _look_up(wanted, tags)
            if found is not None:
                return found
    return DEFAULT


def _by_name(known: Iterable[str]) -> dict[str, str]:
    """Index the tags; a bare `pt` means the first `pt-…` where there is no `pt` itself."""
    tags = {tag.lower(): tag for tag in known}
    for name, tag in list(tags.items()):
        tags.setdefault(name.partition("-")[0], tag)
    return tags


def _ranges(wish: str) -> list[str]:
    """Read a list of ranges, the most wished for first; a weight of 0 wishes against."""
    weighted = [_weighed(part) for part in wish[:_LONGEST].lower().split(",")]
    wanted = [(weight, name) for weight, name in weighted if weight > 0]
    return [name for _, name in sorted(wanted, key=lambda pair: -pair[0])]


def _weighed(part: str) -> tuple[float, str]:
    name, semicolon, parameter = part.partition(";")
    tag = name.strip().replace("_", "-")
    weight = _WEIGHT.fullmatch(parameter.strip())
    if _RANGE.fullmatch(tag) is None or (semicolon and weight is None):
        return 0.0, ""
    return float(weight[1]) if weight else 1.0, tag


def _look_up(wanted: str, tags: dict[str, str]) -> str | None:
    """Shorten the range from its end until a tag fits; a lone letter goes with what follows it."""
    parts = wanted.split("-")
    while parts:
        found = tags.get("-".join(parts))
        if found is not None:
            return found
        parts.pop()
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts.pop()
    return None
