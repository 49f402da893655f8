"""The JSON forms of WebAuthn Level 3: answers read strictly (§5.1), options written. Pure.

What `PublicKeyCredential.toJSON()` gives goes in as it is, and what is written here goes into
`parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` as it is. Members that are not
known here are passed over: browsers may add some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from app import base64url
from app.credentials.errors import WebAuthnResponseInvalid
from app.credentials.webauthn_authenticator_data import MAX_CREDENTIAL_ID
from app.credentials.webauthn_keys import ALGORITHMS

Json = Any
MAX_CLIENT_DATA = 4096
MAX_ATTESTATION = 32 * 1024
MAX_ASSERTION = 2048
MAX_SIGNATURE = 1024
MAX_USER_HANDLE = 64
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")


def _most(size: int) -> Meta:
    """Bound a text by the bytes that it stands for."""
    return Meta(max_length=(size * 4 + 2) // 3)


@dataclass(frozen=True, slots=True)
class RegistrationResponse:
    """What a browser gives after `navigator.credentials.create()`."""

    credential_id: str
    client_data: bytes
    attestation_object: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssertionResponse:
    """What a browser gives after `navigator.credentials.get()`."""

    credential_id: str
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A credential that options name, so that it is used, or not made again."""

    credential_id: str
    transports: tuple[str, ...]

    def written(self) -> dict[str, Json]:
        """Write it as a PublicKeyCredentialDescriptorJSON."""
        named: dict[str, Json] = {"type": "public-key", "id": self.credential_id}
        return named | ({"transports": list(self.transports)} if self.transports else {})


class _Attestation(Struct, frozen=True):
    client_data: Annotated[str, _most(MAX_CLIENT_DATA)] = field(name="clientDataJSON")
    attestation_object: Annotated[str, _most(MAX_ATTESTATION)] = field(name="attestationObject")
    transports: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=16)] = []


class _Assertion(Struct, frozen=True):
    client_data: Annotated[str, _most(MAX_CLIENT_DATA)] = field(name="clientDataJSON")
    authenticator_data: Annotated[str, _most(MAX_ASSERTION)] = field(name="authenticatorData")
    signature: Annotated[str, _most(MAX_SIGNATURE)]
    user_handle: Annotated[str, _most(MAX_USER_HANDLE)] | None = field(
        name="userHandle", default=None
    )


class _Credential(Struct, frozen=True, kw_only=True):
    id: Annotated[str, Meta(min_length=1), _most(MAX_CREDENTIAL_ID)]
    raw_id: str = field(name="rawId")
    type: Literal["public-key"]


class _Registered(_Credential, frozen=True, kw_only=True):
    response: _Attestation


class _Asserted(_Credential, frozen=True, kw_only=True):
    response: _Assertion


T = TypeVar("T", bound=_Credential)


def read_registration(value: Json) -> RegistrationResponse:
    """Read a RegistrationResponseJSON; transports that are not known are left out.

    Raises:
        WebAuthnResponseInvalid: It is none, or a part of it is too long or no base64url.
    """
    given = _read(value, _Registered)
    response = given.response
    return RegistrationResponse(
        credential_id=given.id,
        client_data=_bytes(response.client_data),
        attestation_object=_bytes(response.attestation_object),
        transports=tuple(one for one in TRANSPORTS if one in response.transports),
    )


def read_assertion(value: Json) -> AssertionResponse:
    """Read an AuthenticationResponseJSON.

    Raises:
        WebAuthnResponseInvalid: It is none, or a part of it is too long or no base64url.
    """
    given = _read(value, _Asserted)
    response = given.response
    handle = response.user_handle
    return AssertionResponse(
        credential_id=given.id,
        client_data=_bytes(response.client_data),
        authenticator_data=_bytes(response.authenticator_data),
        signature=_bytes(response.signature),
        user_handle=None if handle is None else _bytes(handle),
    )


def creation_options(  # noqa: PLR0913  # the members of the dictionary
    *,
    rp: dict[str, str],
    user: dict[str, str],
    challenge: bytes,
    timeout: int,
    selection: dict[str, Json],
    attestation: str,
    exclude: Sequence[Offered],
) -> dict[str, Json]:
    """Write a PublicKeyCredentialCreationOptionsJSON; an empty list is left out."""
    options = {
        "rp": rp,
        "user": user,
        "challenge": base64url.encode(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": int(one)} for one in ALGORITHMS],
        "timeout": timeout,
        "authenticatorSelection": selection,
        "attestation": attestation,
    }
    return options | ({"excludeCredentials": [one.written() for one in exclude]} if exclude else {})


def request_options(
    *, rp_id: str, challenge: bytes, timeout: int, user_verification: str, allow: Sequence[Offered]
) -> dict[str, Json]:
    """Write a PublicKeyCredentialRequestOptionsJSON; an empty list is left out."""
    options = {
        "challenge": base64url.encode(challenge),
        "timeout": timeout,
        "rpId": rp_id,
        "userVerification": user_verification,
    }
    return options | ({"allowCredentials": [one.written() for one in allow]} if allow else {})


def _read(value: Json, kind: type[T]) -> T:
    try:
        given = msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: half of a surrogate pair
        raise WebAuthnResponseInvalid from None
    _bytes(given.id)
    if given.id != given.raw_id:  # SEC-045
        raise WebAuthnResponseInvalid("`id` and `rawId` are not the same.", path=("rawId",))
    return given


def _bytes(text: str) -> bytes:
    """Read base64url; one value has one spelling (SEC-052)."""
    try:
        return base64url.decode(text)
    except ValueError:
        raise WebAuthnResponseInvalid from None
