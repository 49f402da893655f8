"""The one normalisation under which addresses and usernames are compared (SEC-114)."""

import re
import unicodedata
from functools import lru_cache

import idna

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters by category, and yet invisible
_LONGEST_FOLDED = 512
MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, less the brackets
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}")
_HOST = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)


def username_key(username: str) -> str:
    """Fold a username: trim, NFKC, case fold, and NFKC once more since folding can undo it.

    A text longer than any name is its own key: folding takes time that grows faster than the text
    (SEC-124), and no account has such a name.
    """
    if len(username) > _LONGEST_FOLDED:
        return username
    if username.isascii():
        return username.strip().lower()
    folded = unicodedata.normalize("NFKC", username.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


def email_key(address: str) -> str | None:
    """Fold an e-mail address: the local part as a username, the domain by IDNA 2008 (UTS 46).

    Returns:
        The key, or None where the text is not exactly one mailbox (RFC 5321 §4.1.2; quoted local
        parts and address literals are not accepted).
    """
    trimmed = address.strip()
    local, at, domain = trimmed.rpartition("@")
    if not at or len(trimmed) > MAX_ADDRESS or not is_printable(trimmed):
        return None
    if local != local.strip():
        return None
    folded, host = username_key(local), _host_key(domain)
    if host is None or not _is_local_part(folded):
        return None
    key = f"{folded}@{host}"
    return key if len(key.encode()) <= MAX_ADDRESS else None


def is_storable(value: str) -> bool:
    """Say whether every database keeps *value*: no U+0000, no half of a surrogate pair."""
    return _UNSTORABLE.search(value) is None


def is_printable(value: str) -> bool:
    """Say whether *value* is free of controls, lone surrogates and what cannot be seen."""
    if value.isascii():
        return value.isprintable()
    return not any(
        c in _FILLERS or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in value
    )


def _is_local_part(local: str) -> bool:
    plain = not local.startswith(".") and not local.endswith(".") and ".." not in local
    return plain and _LOCAL.fullmatch(local) is not None and is_printable(local)


@lru_cache(1024)
def _host_key(domain: str) -> str | None:
    try:
        host = idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None
    return host if _HOST.fullmatch(host) else None
