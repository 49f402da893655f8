"""Turns what providers call things into our claims: OpenID Connect Core §5.1. Pure.

Providers disagree about names and types, and what they pass on was typed by anybody. A claim that
is not what its name says is left out; who it is has to be said well, or nobody signs in.
"""

import re
from collections.abc import Mapping

import msgspec

from app.federation.answers import Claims
from app.federation.connector import OutsideIdentity
from app.federation.errors import UserDataUnusable
from app.strictjson import Json
from app.text import email_key, is_printable

MAX_SUBJECT = 255
"""Characters of a `sub` (OpenID Connect Core §2)."""

_LONGEST = 2048
_TEXTS = (
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"),
    *("profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale"),
    *("phone_number", "phone"),
)
_FLAGS = ("phone_number_verified", "phone_verified")
_OF_THE_PROTOCOL = frozenset(
    {
        *("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "sid", "typ", "ver"),
        *("nonce", "nonce_supported", "at_hash", "c_hash", "s_hash", "uti", "rh", "aio"),
        *("access_token", "refresh_token", "id_token", "email", "email_verified"),
    }
)
_NAME = re.compile(r"[A-Za-z0-9_:/.@#-]{1,128}")
_DIGITS = re.compile(rb"-?[0-9]{1,40}")


def identity_of(provider: str, issuer: str, claims: Claims) -> OutsideIdentity:
    """Give who somebody is, from claims that are named as in OpenID Connect.

    Raises:
        UserDataUnusable: They do not say it.
    """
    subject = subject_of(claims.get("sub"))
    email = email_of(claims.get("email"))
    verified = email is not None and is_true(claims.get("email_verified"))
    told = {"email": email, "email_verified": verified} if email else {}
    return OutsideIdentity(
        provider=provider,
        issuer=issuer,
        subject=subject,
        email=email,
        email_verified=verified,
        claims={"iss": issuer, "sub": subject} | told | _shaped(claims),
    )


def subject_of(value: Json) -> str:
    """Read an identifier: a text, or a whole number, which is written out.

    Raises:
        UserDataUnusable: It is neither, or nothing that one could compare.
    """
    if isinstance(value, msgspec.Raw) and _DIGITS.fullmatch(bytes(value)):
        return bytes(value).decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT:
        raise UserDataUnusable
    if value != value.strip() or not is_printable(value):
        raise UserDataUnusable
    return value


def email_of(value: Json) -> str | None:
    """Give an address as it was written, if it is one."""
    if not isinstance(value, str) or email_key(value) is None:
        return None
    return value.strip()


def text_of(value: Json) -> str | None:
    """Give a text that can be shown and kept, without the space around it."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    trimmed = value.strip()
    return trimmed if trimmed and is_printable(trimmed) else None


def is_true(value: Json) -> bool:
    """Say whether a claim says yes; some providers write it as a text or a number."""
    if isinstance(value, str):
        return value.lower() in ("true", "1")
    return value is True or (isinstance(value, int) and value == 1)


def mapped(claims: Claims, mapping: Mapping[str, str]) -> Claims:
    """Give claims their names here: each is taken from a dotted path in what the provider says.

    What was taken from the top is not kept under its old name, and what is not there is no claim.
    Whether an address is verified is said of the one beside it: of an address that comes from
    elsewhere it says nothing, unless that is mapped too (SEC-081).
    """
    if "email" in mapping and "email_verified" not in mapping:
        claims = {name: value for name, value in claims.items() if name != "email_verified"}
    taken = {ours: _at(claims, path.removeprefix("$.")) for ours, path in mapping.items()}
    rest = {name: value for name, value in claims.items() if name not in mapping.values()}
    return {name: value for name, value in (rest | taken).items() if value is not None}


def merged(told: Claims, further: Claims) -> Claims:
    """Add claims to those of an ID token, whose subject they share.

    An address and whether it is verified stay together, wherever they come from.

    Raises:
        UserDataUnusable: The subjects differ (SEC-080).
    """
    if not isinstance(further.get("sub"), str) or further["sub"] != told.get("sub"):
        raise UserDataUnusable
    kept, further = dict(told), dict(further)
    alone = kept if "email" in further else further
    alone.pop("email_verified", None)
    return kept | {name: value for name, value in further.items() if name not in ("iss", "sub")}


def _at(claims: Claims, path: str) -> Json:
    """Follow a dotted path; a name that has dots in it goes before one."""
    if path in claims:
        return claims[path]
    value: Json = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _shaped(claims: Claims) -> Claims:
    """Keep the claims that are what their names say, and those of the provider's own."""
    found: Claims = {name: text for name in _TEXTS if (text := text_of(claims.get(name)))}
    found |= {name: is_true(claims[name]) for name in _FLAGS if name in claims}
    if isinstance(claims.get("updated_at"), int | str):
        found["updated_at"] = claims["updated_at"]
    if isinstance(claims.get("address"), dict):
        members = claims["address"].items()
        found["address"] = {name: text for name, value in members if (text := text_of(value))}
    known = {*_TEXTS, *_FLAGS, "updated_at", "address", *_OF_THE_PROTOCOL}
    own = {name: value for name, value in claims.items() if name not in known}
    found |= {name: value for name, value in own.items() if _NAME.fullmatch(name)}
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}
