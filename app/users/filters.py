"""What a caller may ask of a list of users, and how it is asked of the database.

Every part of a filter becomes a condition with parameters; no input reaches the text of a
statement (SEC-098, SEC-121).
"""

import itertools
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from app import strictjson
from app.claims.gjson import plain_path
from app.errors import Invalid
from app.metadata import Bag
from app.metadata.patch import unstorable
from app.persistence import speaks
from app.text import email_key, is_storable, username_key

_END = "\U0010ffff"
MAX_CONDITIONS = 50
MAX_INDEXES = 4
MAX_IDS = 100
MAX_PART = 255
_METADATA_PATH = ("filter", "metadata", "path")
_ODD_KEY = re.compile(r"[\x00-\x1f\"\\]|\A(\s*[+-]|\s+|0)\d+\Z")
"""Keys that SQLite's paths cannot name, and such as PostgreSQL would take for an index."""
_INDEX = re.compile(r"[0-9]{1,9}")


class FilterRefused(Invalid):
    """A part of a filter cannot be asked."""

    code = "filter_refused"
    message = "The filter cannot be used."


class UserOrder(Enum):
    """How a list of users is sorted."""

    CREATED_AT_DESC = "created_at_desc"
    CREATED_AT_ASC = "created_at_asc"


@dataclass(frozen=True, slots=True)
class MetadataPredicate:
    """Asks for a value in a bag: that it exists, or what it equals."""

    bag: Bag
    path: str
    equals: Any = None
    exists: bool | None = None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Asks for users; every part that is given must hold.

    Attributes:
        ids: They have one of these.
        email_has: What an address of theirs has in it, however spelled.
        username_has: What their user name has in it, however spelled.
    """

    search: str | None = None
    ids: tuple[UUID, ...] = ()
    email: str | None = None
    email_has: str | None = None
    username_has: str | None = None
    email_verified: bool | None = None
    identity_provider: str | None = None
    has_password: bool | None = None
    has_passkey: bool | None = None
    has_totp: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    signed_in_after: datetime | None = None
    signed_in_before: datetime | None = None
    metadata: MetadataPredicate | None = None
    all_of: tuple["UserFilter", ...] = ()
    any_of: tuple["UserFilter", ...] = ()
    none_of: "UserFilter | None" = None

    def size(self) -> int:
        """Count the filters in it, itself included."""
        inner = (*self.all_of, *self.any_of, *((self.none_of,) if self.none_of else ()))
        sizes: list[int] = [part.size() for part in inner]
        return 1 + sum(sizes)


def condition(wanted: UserFilter) -> QueryString | None:
    """Turn a filter into SQL, or into nothing where it asks nothing.

    Raises:
        FilterRefused: It has too many parts, or a path the database cannot follow.
    """
    if wanted.size() > MAX_CONDITIONS:
        raise FilterRefused("The filter has too many parts.", path=("filter",))
    return _all(_parts(wanted))


def _parts(wanted: UserFilter) -> list[QueryString]:
    parts = [*_ranges(wanted), *_ids(wanted), *_identifiers(wanted), *_substrings(wanted)]
    parts += _credentials(wanted)
    if wanted.metadata is not None:
        parts.append(_bag(wanted.metadata))
    parts += [inner for part in wanted.all_of if (inner := _all(_parts(part)))]
    either = [inner for part in wanted.any_of if (inner := _all(_parts(part)))]
    if either:
        parts.append(_joined(" OR ", either))
    if wanted.none_of and (inner := _all(_parts(wanted.none_of))):
        # What cannot be told, such as the sign-in time of who never signed in, does not hold.
        parts.append(QueryString("NOT COALESCE({}, FALSE)", inner))
    return parts


def _ranges(wanted: UserFilter) -> list[QueryString]:
    bounds = (
        ("app_user.created_at > {}", wanted.created_after),
        ("app_user.created_at < {}", wanted.created_before),
        ("app_user.last_sign_in_at > {}", wanted.signed_in_after),
        ("app_user.last_sign_in_at < {}", wanted.signed_in_before),
    )
    return [QueryString(sql, value) for sql, value in bounds if value is not None]


def _ids(wanted: UserFilter) -> list[QueryString]:
    if len(wanted.ids) > MAX_IDS:
        raise FilterRefused(f"At most {MAX_IDS} ids are asked for at once.", path=("filter", "ids"))
    places = ", ".join("{}" for _ in wanted.ids)
    return [QueryString(f"app_user.id IN ({places})", *wanted.ids)] if wanted.ids else []


def _identifiers(wanted: UserFilter) -> list[QueryString]:
    parts = []
    if wanted.search:
        start = _storable(username_key(wanted.search), ("filter", "search"))
        parts.append(
            QueryString(
                "((app_user.username_key >= {} AND app_user.username_key < {}) OR app_user.id IN "
                "(SELECT user_id FROM email WHERE address_key >= {} AND address_key < {}))",
                *(start, start + _END) * 2,
            )
        )
    if wanted.email is not None:
        sql = "app_user.id IN (SELECT user_id FROM email WHERE address_key = {})"
        parts.append(QueryString(sql, email_key(wanted.email) or ""))
    if wanted.email_verified is not None:
        sql = "app_user.id IN (SELECT user_id FROM email WHERE is_primary AND is_verified = {})"
        parts.append(QueryString(sql, wanted.email_verified))
    if wanted.identity_provider is not None:
        provider = _storable(wanted.identity_provider, ("filter", "identity_provider"))
        sql = "app_user.id IN (SELECT user_id FROM identity WHERE provider = {})"
        parts.append(QueryString(sql, provider))
    return parts


def _substrings(wanted: UserFilter) -> list[QueryString]:
    """Ask for what is anywhere in an identifier; every row has to be looked at."""
    email, name = (
        _within(wanted.email_has, "email_has"),
        _within(wanted.username_has, "username_has"),
    )
    parts = []
    if email is not None:
        sql = "app_user.id IN (SELECT user_id FROM email WHERE address_key LIKE {} ESCAPE '!')"
        parts.append(QueryString(sql, email))
    if name is not None:
        parts.append(QueryString("app_user.username_key LIKE {} ESCAPE '!'", name))
    return parts


def _credentials(wanted: UserFilter) -> list[QueryString]:
    """Ask for who has a credential of a kind, or has none."""
    asked = (
        ("SELECT user_id FROM user_password", wanted.has_password),
        ("SELECT user_id FROM webauthn_credential WHERE NOT is_mfa_only", wanted.has_passkey),
        ("SELECT user_id FROM user_totp", wanted.has_totp),
    )
    return [
        QueryString(f"app_user.id {'IN' if has else 'NOT IN'} ({owners})")
        for owners, has in asked
        if has is not None
    ]


def _within(text: str | None, name: str) -> str | None:
    """Make a pattern that finds *text* anywhere; what patterns give a meaning has none in it."""
    folded = username_key(_storable(text or "", ("filter", name)))
    if len(folded) > MAX_PART:
        raise FilterRefused(f"At most {MAX_PART} characters are looked for.", path=("filter", name))
    plain = folded.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{plain}%" if plain else None


def _bag(predicate: MetadataPredicate) -> QueryString:
    found = _found(predicate.bag, _steps(predicate.path))
    if predicate.exists is not None:
        return QueryString("({} IS NOT NULL)" if predicate.exists else "({} IS NULL)", found)
    if unstorable(predicate.equals) is not None:
        raise FilterRefused("A text that no bag can hold.", path=("filter", "metadata", "equals"))
    wanted = strictjson.encode(predicate.equals)
    if speaks() == "postgres":
        return QueryString("({} = {}::jsonb)", found, wanted)
    return QueryString("(canonical_json({}) = {})", found, strictjson.canonical(wanted))


def _steps(path: str) -> tuple[str, ...]:
    """Take a path apart into keys and indexes that both databases follow alike."""
    steps = plain_path(_storable(path, _METADATA_PATH))
    if not steps:
        raise FilterRefused(
            "A filter follows keys and indexes joined by dots, such as `plan` or `roles.0`.",
            path=_METADATA_PATH,
        )
    named = tuple(str(step) for step in steps)
    if any(_ODD_KEY.search(name) for name in named) or _indexes(named) > MAX_INDEXES:
        raise FilterRefused("A filter cannot follow this path.", path=_METADATA_PATH)
    return named


def _found(bag: Bag, steps: tuple[str, ...]) -> QueryString:
    """Read a value of a bag as JSON, or SQL NULL where there is none."""
    column = {Bag.PUBLIC: "public_bag", Bag.PRIVATE: "private_bag", Bag.UNSAFE: "unsafe_bag"}[bag]
    one = "(SELECT {} FROM user_metadata m WHERE m.user_id = app_user.id)"
    if speaks() == "postgres":
        return QueryString(one, QueryString(f"m.{column}::jsonb #> {{}}::text[]", list(steps)))
    paths = _sqlite_paths(steps)
    tries = ", ".join(f"m.{column} -> {{}}" for _ in paths)
    return QueryString(one, QueryString(f"COALESCE({tries}, NULL)", *paths))


def _sqlite_paths(steps: tuple[str, ...]) -> list[str]:
    """Spell a path in each way it can be meant: a number is an element's, or an object's key."""
    both = [(f'."{step}"', f"[{step}]")[: 1 + _indexes((step,))] for step in steps]
    return ["$" + "".join(spelling) for spelling in itertools.product(*both)]


def _indexes(steps: tuple[str, ...]) -> int:
    return sum(_INDEX.fullmatch(step) is not None for step in steps)


def _storable(text: str, path: tuple[str, ...]) -> str:
    if not is_storable(text):
        raise FilterRefused("A text that nothing can hold.", path=path)
    return text


def _all(parts: list[QueryString]) -> QueryString | None:
    return _joined(" AND ", parts) if parts else None


def _joined(word: str, parts: list[QueryString]) -> QueryString:
    return QueryString("(" + word.join("{}" for _ in parts) + ")", *parts)
