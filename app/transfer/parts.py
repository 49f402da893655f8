"""Parts of an entry, as the database keeps them: each is taken, or the entry is refused. Pure."""

from collections.abc import Sequence

import msgspec

from app import base64url, strictjson
from app.config.sections import BagLimit
from app.credentials.passkey_values import is_name
from app.credentials.webauthn_authenticator_data import MAX_CREDENTIAL_ID
from app.credentials.webauthn_keys import KeyRefused, check_key
from app.metadata import Bag
from app.metadata.patch import check, compact, within
from app.text import is_printable, is_storable
from app.transfer.errors import EntryInvalid
from app.transfer.records import CredentialRecord

EMPTY_BAG = "{}"
_MAX_WORD = 64
_MOST_WORDS = 16  # of a list of transports or methods
_MOST_CLAIMS = 64 * 1024  # bytes


def bag_text(bag: Bag, raw: bytes, limit: BagLimit) -> str:
    """Give a bag as it is stored.

    A text that comes out of the encoder as it went in is compact and says nothing twice; all
    others go the long way.

    Raises:
        EntryInvalid: It is no JSON as it is accepted.
        MetadataRefused: It may not hold this.
    """
    if raw in (b"{}", b"null"):
        return EMPTY_BAG
    try:
        value = msgspec.json.decode(raw)
        plain = b"\\u0000" not in raw and raw.count(b"{") + raw.count(b"[") <= strictjson.MAX_DEPTH
        if plain and isinstance(value, dict) and msgspec.json.encode(value) == raw:
            return within(bag, raw.decode(), limit)
        value = strictjson.parse(raw)
        check(bag, value)
    except (msgspec.MsgspecError, RecursionError, strictjson.NotJson):
        raise EntryInvalid("A bag is no JSON as it is accepted.", path=(bag.field,)) from None
    return compact(bag, value, limit)


def claims_text(raw: bytes) -> str:
    """Give the claims of an identity as they are stored.

    Raises:
        EntryInvalid: They are no JSON object that a database keeps, or too many.
    """
    try:
        value = strictjson.parse(raw)
    except strictjson.NotJson:
        value = None
    if not isinstance(value, dict) or b"\\u0000" in raw:
        raise EntryInvalid("The claims of an identity are no JSON object.", path=("identities",))
    written = strictjson.encode(value)
    if len(written.encode()) > _MOST_CLAIMS:
        message = f"The claims of an identity have more than {_MOST_CLAIMS} bytes."
        raise EntryInvalid(message, path=("identities", "claims"))
    return written


def check_credential(found: CredentialRecord) -> None:
    """See that somebody could sign in with a passkey.

    Raises:
        EntryInvalid: Nobody could, or its name cannot be shown.
    """
    path = ("webauthn_credentials",)
    try:
        is_id = 0 < len(base64url.decode(found.credential_id)) <= MAX_CREDENTIAL_ID
        check_key(base64url.decode(found.public_key))
    except KeyRefused:
        message = "The public key of a passkey is none that could sign in here."
        raise EntryInvalid(message, path=(*path, "public_key")) from None
    except ValueError:
        is_id = False
    if not is_id:
        raise EntryInvalid(
            "The id and the public key of a passkey are base64url without padding.", path=path
        )
    refuse_many(found.transports, "transports", _MOST_WORDS)
    for text in (found.attestation_type, *found.transports):
        word(text, "webauthn_credentials", _MAX_WORD)
    refuse_twice(list(found.transports), "webauthn_credentials")
    if found.name is not None and not (is_name(found.name.strip()) and is_printable(found.name)):
        raise EntryInvalid("The name of a passkey cannot be shown.", path=path)


def methods_text(amr: Sequence[str]) -> str:
    """Write how somebody has signed in."""
    refuse_many(amr, "amr", _MOST_WORDS)
    return strictjson.encode([word(way, "amr", 32) for way in amr])


def word(text: str, name: str, most: int) -> str:
    """Take a text that is one word, such as a transport or a provider's name."""
    if not 0 < len(text) <= most or not is_printable(text) or any(c.isspace() for c in text):
        raise EntryInvalid("A text is empty, too long, or no word.", path=(name,))
    return text


def shown(text: str | None) -> str | None:
    """Take a text that is shown as it stands, such as a user agent."""
    if text is not None and not is_storable(text):
        raise EntryInvalid("A text holds what no database keeps.", path=("user_agent",))
    return text


def refuse_many(values: Sequence[object], name: str, most: int) -> None:
    """See that a list is no longer than it may be."""
    if len(values) > most:
        raise EntryInvalid(f"There are more than {most} {name.replace('_', ' ')}.", path=(name,))


def refuse_twice(values: Sequence[str], name: str) -> None:
    """See that no two of some keys are the same."""
    if len(set(values)) != len(values):
        raise EntryInvalid("The entry says the same thing twice.", path=(name,))
