"""The inputs of actions: what is shown of them, and how what is given is read. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from app.errors import IdentityError
from app.flows.errors import ValueInvalid, ValueMissing, ValueTooLong, ValueTooShort
from app.strictjson import Json
from app.text import email_key, is_storable

Kind = Literal["string", "boolean", "email", "password", "json"]
Given = Mapping[str, Json]
_TRUE = ("true", "1", "t")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that an input may have, and what a person reads for it."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Input:
    """An input as it stands now; what is None is not said of it.

    Lengths count characters; the longest password is counted in bytes (Q-01). `shown` is a value
    that the server suggests; the value of a `preserved` input comes back after it was sent.
    """

    name: str
    kind: Kind = "string"
    required: bool | None = None
    hidden: bool | None = None
    min_length: int | None = None
    max_length: int | None = None
    trim: bool = False
    lower: bool = False
    preserved: bool = False
    shown: Json | UnsetType = UNSET
    allowed: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an input is refused, and the reason behind it where there is one."""

    error: IdentityError
    cause: IdentityError | None = None


Problems = Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class Read:
    """What was given, as the action takes it, and what is wrong with it."""

    values: dict[str, Any]
    problems: dict[str, Problem]


def read(inputs: Sequence[Input], given: Given) -> Read:
    """Read what was given for *inputs*; anything else is not looked at (SEC-063)."""
    values = {
        one.name: _value(one, given.get(one.name))
        for one in inputs
        if one.kind != "json" or one.name in given  # null is a value of JSON
    }
    found = {one.name: _problem(one, values.get(one.name)) for one in inputs}
    problems = {name: Problem(error) for name, error in found.items() if error is not None}
    return Read(values, problems)


def is_email(text: str) -> bool:
    """Say whether a text is taken for an e-mail address: one mailbox, in a domain with a dot."""
    key = email_key(text)
    if key is None:
        return False
    _, dot, last = key.rpartition("@")[2].rpartition(".")
    return bool(dot) and len(last) > 1 and not last.isdigit()


def _value(one: Input, value: Json) -> Any:  # noqa: ANN401  # what a field can hold
    if one.kind == "json":
        return value
    if one.kind == "boolean":
        return _is_true(value)
    text = value if isinstance(value, str) else ""
    text = text.strip() if one.trim else text
    return text.lower() if one.lower else text


def _is_true(value: Json) -> bool:
    if isinstance(value, str):
        return value in _TRUE
    if isinstance(value, msgspec.Raw):
        return float(bytes(value)) != 0
    return value is True or (isinstance(value, int) and value != 0)


def _problem(one: Input, value: Any) -> IdentityError | None:  # noqa: ANN401  # see above
    if one.kind in ("json", "boolean"):
        return None
    if not value:
        return ValueMissing() if one.required else None
    if one.min_length is not None and len(value) < one.min_length:
        return ValueTooShort()
    if one.max_length is not None and _size(one, value) > one.max_length:
        return ValueTooLong()
    return None if _fits(one, value) else ValueInvalid()


def _size(one: Input, value: str) -> int:
    return len(value.encode(errors="surrogatepass") if one.kind == "password" else value)


def _fits(one: Input, value: str) -> bool:
    if one.kind == "password":
        return True
    if one.kind == "email":
        return is_email(value)
    return is_storable(value) and (
        not one.allowed or value in {choice.value for choice in one.allowed}
    )
