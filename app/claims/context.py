"""What templates can ask about a user: the documented fields and two bags, by name alone.

Each object lists its names; there is no way from a template to anything else, and the private bag
is not even handed in (SEC-009). What metadata holds is data: it is looked up by path and given
back as text, never run (SEC-008).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from app.claims.errors import TemplateRunError
from app.claims.gjson import MAX_PATH
from app.claims.gjson_lookup import find
from app.claims.gjson_text import Refused, Source, Work, without_spaces
from app.claims.gotemplate_values import Method, Object, Value

USER_FIELDS = {
    "UserID": "user_id",
    "Username": "username",
    "Name": "name",
    "FamilyName": "family_name",
    "GivenName": "given_name",
    "Picture": "picture",
}
"""The texts of a user, by their names in templates."""

BAGS = {"Public": "public_metadata", "Unsafe": "unsafe_metadata"}
"""The bags, by their names in templates."""


def user_context(user: Mapping[str, Any]) -> Object:
    """Make the data of a user's templates.

    Args:
        user: ``user_id``, ``username``, ``name``, ``given_name``, ``family_name``, ``picture``,
            ``email`` (null, or ``address``, ``is_primary`` and ``is_verified``), and the JSON of
            the bags or null: ``public_metadata_raw`` and ``unsafe_metadata_raw``.
    """
    email, metadata = _email(user.get("email")), _metadata(bags_of(user))
    fields: dict[str, Value] = {name: user.get(key) or "" for name, key in USER_FIELDS.items()}
    fields |= {"Email": email, "Metadata": metadata}
    shown = _object("User", fields, lambda: _user_text(user, email, metadata))
    return Object("Data", {"User": shown}, {}, lambda: f"{{{shown.text()}}}")


def bags_of(user: Mapping[str, Any]) -> dict[str, str]:
    """Give the bags that hold anything, each as JSON."""
    found = {bag: user.get(f"{bag}_raw") for bag in BAGS.values()}
    return {bag: raw for bag, raw in found.items() if raw and not _EMPTY.fullmatch(raw)}


def look_up(document: str, path: str, work: Work) -> str:
    """Give what a path leads to as text, at the expense of the run that asks.

    It is what `gjson.get` gives, which allows every lookup its own work; a template can ask for
    many, so here they share.

    Raises:
        Refused: The run has no work left.
    """
    if not path or len(path) > MAX_PATH:
        return ""
    own = Work()
    own.steps = work.steps
    try:
        source = Source(document, own)
        source.check_depth()
        return find(source.value(), path).string()
    except (Refused, RecursionError):
        return ""
    finally:
        work.spend(work.steps - own.steps)


_READING = 8
"""Units of work for reading a bag, apart from the lookup itself."""

_EMPTY = re.compile(r"\s*(?:\{\s*\}|null)?\s*")
_UNSAFE_IN_HTML = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def _email(email: Mapping[str, Any] | None) -> Object:
    if email is None:
        return _absent("Email", {})
    fields: dict[str, Value] = {
        "Address": email["address"],
        "IsPrimary": bool(email["is_primary"]),
        "IsVerified": bool(email["is_verified"]),
    }
    names = ("address", "is_primary", "is_verified")
    return _object("Email", fields, lambda: _json({name: email[name] for name in names}))


def _metadata(bags: Mapping[str, str]) -> Object:
    if not bags:
        return _absent("Metadata", dict.fromkeys(BAGS, _look_into_nothing))
    methods = {name: _reader(bags.get(bag)) for name, bag in BAGS.items()}
    return _object("Metadata", {}, lambda: _metadata_text(bags), methods)


def _object(
    name: str,
    fields: Mapping[str, Value],
    text: Callable[[], str],
    methods: Mapping[str, Method] | None = None,
) -> Object:
    once = cache(text)
    return Object(name, fields, {"String": _printer(once), **(methods or {})}, once)


def _absent(name: str, methods: Mapping[str, Method]) -> Object:
    return Object(name, {}, {"String": _printer(str), **methods}, str, is_nil=True)


def _printer(text: Callable[[], str]) -> Method:
    def shown(arguments: Sequence[str], _work: Work) -> str:
        if arguments:
            raise TemplateRunError("String takes no arguments.")
        return text()

    return shown


def _reader(document: str | None) -> Method:
    def read(path: Sequence[str], work: Work) -> str:
        work.spend(_READING)
        if document is None:
            return ""
        return look_up(document, ".".join(path), work) if path else document

    return read


def _look_into_nothing(_path: Sequence[str], _work: Work) -> str:
    raise TemplateRunError("There is no metadata to look into.")


def _user_text(user: Mapping[str, Any], email: Object, metadata: Object) -> str:
    texts = {key: _json(user.get(key) or "") for key in USER_FIELDS.values()}
    first = {
        "user_id": texts.pop("user_id"),
        "email": email.text(),
        "username": texts.pop("username"),
        "metadata": metadata.text(),
    }
    return _members({name: text for name, text in first.items() if text} | texts)


def _metadata_text(bags: Mapping[str, str]) -> str:
    compact = {bag: without_spaces(raw) for bag, raw in bags.items()}
    return _members({bag: raw.translate(_UNSAFE_IN_HTML) for bag, raw in compact.items()})


def _members(members: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{_json(name)}:{text}' for name, text in members.items())}}}"


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_UNSAFE_IN_HTML)
