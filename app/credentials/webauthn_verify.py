"""Both WebAuthn ceremonies, verified (WebAuthn Level 3 §7.1, §7.2). Pure.

The library does the cryptography. What it passes over is looked at here: how bytes are written,
where a page was embedded, which parameters a key has, what an attestation's certificate says.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import webauthn
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from app import base64url, strictjson
from app.credentials import webauthn_authenticator_data as authenticator_data
from app.credentials import webauthn_keys as keys
from app.credentials.webauthn_attestation import AttestationRefused, check_attestation
from app.credentials.webauthn_authenticator_data import AuthenticatorData, DataMalformed
from app.credentials.webauthn_json import AssertionResponse, RegistrationResponse

Ceremony = Literal["webauthn.create", "webauthn.get"]


class CeremonyRefused(Exception):
    """A step of the ceremony has failed; the text names it for the audit record."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """For whom credentials are made, and on which pages."""

    id: str
    name: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A verified credential that is not kept yet."""

    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: UUID
    attestation_type: str
    transports: tuple[str, ...]
    is_backup_eligible: bool
    is_backed_up: bool
    is_user_verified: bool
    is_mfa_only: bool
    is_attested: bool = False
    """Whether a certificate of the authenticator's maker speaks for it."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion: its signature is the key's."""

    sign_count: int
    is_backup_eligible: bool
    is_backed_up: bool
    is_user_verified: bool


def challenge_of(client_data: bytes) -> bytes:
    """Read the challenge that a browser says it was given, whatever else it says.

    Raises:
        CeremonyRefused: It says none.
    """
    challenge = _members(client_data).get("challenge")
    if not isinstance(challenge, str):
        raise CeremonyRefused("client_data")
    try:
        return base64url.decode(challenge)
    except ValueError:
        raise CeremonyRefused("client_data") from None


def verify_registration(
    response: RegistrationResponse,
    rp: RelyingParty,
    challenge: bytes,
    *,
    is_mfa_only: bool,
    needs_verification: bool,
) -> NewCredential:
    """Verify a new credential (SEC-046, SEC-047, SEC-049, SEC-051).

    Args:
        response: What the browser gave.
        rp: Who asked.
        challenge: What was asked with.
        is_mfa_only: Whether the credential is to be a second factor alone.
        needs_verification: Whether the authenticator must have verified the user.

    Raises:
        CeremonyRefused: A step has failed.
    """
    _check_client(response.client_data, "webauthn.create", rp, challenge)
    try:
        attestation = check_attestation(response.attestation_object)
    except AttestationRefused as error:
        raise CeremonyRefused("attestation") from error
    data = _checked(attestation.authenticator_data, rp, needs_verification=needs_verification)
    found = data.attested
    if found is None or base64url.encode(found.credential_id) != response.credential_id:
        raise CeremonyRefused("credential_id")
    try:
        keys.check_key(found.public_key)
    except keys.KeyRefused as error:
        raise CeremonyRefused("public_key") from error
    _check_attested(response, rp, challenge, found.credential_id)
    return NewCredential(
        credential_id=response.credential_id,
        public_key=found.public_key,
        sign_count=data.sign_count,
        aaguid=found.aaguid,
        attestation_type=attestation.format,
        transports=response.transports,
        is_backup_eligible=data.is_backup_eligible,
        is_backed_up=data.is_backed_up,
        is_user_verified=data.is_user_verified,
        is_mfa_only=is_mfa_only,
        is_attested=attestation.is_by_maker,
    )


def verify_assertion(
    response: AssertionResponse,
    rp: RelyingParty,
    challenge: bytes,
    public_key: bytes,
    *,
    needs_verification: bool,
) -> Assertion:
    """Verify that a credential's key has signed the challenge (SEC-046, SEC-047, SEC-049).

    The counter is not looked at: what it means depends on the stored one, and it is worth nothing
    before the signature is known to be good.

    Args:
        response: What the browser gave.
        rp: Who asked.
        challenge: What was asked with.
        public_key: The key of the credential that the response names.
        needs_verification: Whether the authenticator must have verified the user.

    Raises:
        CeremonyRefused: A step has failed.
    """
    _check_client(response.client_data, "webauthn.get", rp, challenge)
    data = _checked(response.authenticator_data, rp, needs_verification=needs_verification)
    credential = AuthenticationCredential(
        id=response.credential_id,
        raw_id=base64url.decode(response.credential_id),
        response=AuthenticatorAssertionResponse(
            response.client_data, response.authenticator_data, response.signature
        ),
    )
    try:
        webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp.id,
            expected_origin=list(rp.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=needs_verification,
        )
    except Exception as error:  # an exception is a refusal, whichever it is (SEC-045)
        raise CeremonyRefused("signature") from error
    return Assertion(
        sign_count=data.sign_count,
        is_backup_eligible=data.is_backup_eligible,
        is_backed_up=data.is_backed_up,
        is_user_verified=data.is_user_verified,
    )


def _check_client(data: bytes, ceremony: Ceremony, rp: RelyingParty, challenge: bytes) -> None:
    """See that the page that asked is one of ours, and asked this (WebAuthn Level 3 §5.8.1)."""
    client = _members(data)
    if client.get("type") != ceremony:
        raise CeremonyRefused("type")
    if client.get("challenge") != base64url.encode(challenge):
        raise CeremonyRefused("challenge")
    if client.get("origin") not in rp.origins:
        raise CeremonyRefused("origin")
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise CeremonyRefused("embedded")


def _members(client_data: bytes) -> dict[str, Any]:
    try:
        value = strictjson.parse(client_data)
    except strictjson.NotJson:
        raise CeremonyRefused("client_data") from None
    if not isinstance(value, dict):
        raise CeremonyRefused("client_data")
    return value


def _checked(data: bytes, rp: RelyingParty, *, needs_verification: bool) -> AuthenticatorData:
    try:
        read = authenticator_data.read(data)
    except DataMalformed as error:
        raise CeremonyRefused("authenticator_data") from error
    _check_flags(read, needs_verification=needs_verification)
    if read.rp_id_hash != hashlib.sha256(rp.id.encode()).digest():
        raise CeremonyRefused("rp_id")
    return read


def _check_attested(
    response: RegistrationResponse, rp: RelyingParty, challenge: bytes, credential_id: bytes
) -> None:
    """Have the library verify what the attestation's signature and certificates say (SEC-051)."""
    attested = AuthenticatorAttestationResponse(response.client_data, response.attestation_object)
    credential = RegistrationCredential(
        id=response.credential_id, raw_id=credential_id, response=attested
    )
    try:
        webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp.id,
            expected_origin=list(rp.origins),
            supported_pub_key_algs=keys.ALGORITHMS,
        )
    except Exception as error:  # whatever an odd certificate makes of it (SEC-045)
        raise CeremonyRefused("attestation") from error


def _check_flags(data: AuthenticatorData, *, needs_verification: bool) -> None:
    if not data.is_user_present:
        raise CeremonyRefused("user_presence")
    if needs_verification and not data.is_user_verified:
        raise CeremonyRefused("user_verification")
    if data.is_backed_up and not data.is_backup_eligible:
        raise CeremonyRefused("backup")
