"""What options ask for, and what an assertion must keep to once its signature is good. Pure."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from app.config import sections
from app.credentials.passkey_values import MFA_ONLY, Kind, Passkey
from app.credentials.webauthn_challenges import Ceremony
from app.credentials.webauthn_verify import Assertion, CeremonyRefused

DISCOURAGED_TIMEOUT = 120_000
"""Milliseconds a person has where the authenticator asks nothing of them."""


def selection_of(kind: Kind, rules: sections.Passkey | sections.SecurityKeys) -> dict[str, Any]:
    """Say what an authenticator must be able to do to make a credential."""
    is_passkey = kind == "passkey"
    return _attachment(rules) | {
        "residentKey": "required" if is_passkey else "discouraged",
        "requireResidentKey": is_passkey,
        "userVerification": rules.user_verification,
    }


def _attachment(rules: sections.Passkey | sections.SecurityKeys) -> dict[str, str]:
    if isinstance(rules, sections.Passkey) or rules.authenticator_attachment == "no_preference":
        return {}
    return {"authenticatorAttachment": rules.authenticator_attachment}


def timeout_of(configured: int, user_verification: str) -> int:
    """Give the milliseconds of a ceremony; 0 in the configuration stands for the longest."""
    timeout = configured or sections.MAX_CEREMONY
    return min(timeout, DISCOURAGED_TIMEOUT) if user_verification == "discouraged" else timeout


def check_owner(passkey: Passkey, ceremony: Ceremony, handle: bytes | None) -> None:
    """See that the credential is the user's whom the ceremony is for (SEC-048).

    Raises:
        CeremonyRefused: It is somebody else's, of the other kind, or was not offered.
    """
    if ceremony.user_id is None and handle is None:
        raise CeremonyRefused("user_handle")
    if handle is not None and handle != passkey.user_id.bytes:
        raise CeremonyRefused("user_handle")
    if ceremony.user_id not in (None, passkey.user_id):
        raise CeremonyRefused("user")
    if ceremony.purpose == "login" and passkey.is_mfa_only:
        raise CeremonyRefused(MFA_ONLY)
    if ceremony.offered is not None and passkey.id not in ceremony.offered:
        raise CeremonyRefused("not_offered")


def check_use(passkey: Passkey, assertion: Assertion) -> None:
    """See that the credential is where it was (SEC-049, SEC-050).

    Raises:
        CeremonyRefused: It may leave its device now, or could and cannot any more; or its counter
            has not risen, so that there may be a copy of it.
    """
    if assertion.is_backup_eligible != passkey.is_backup_eligible:
        raise CeremonyRefused("backup")
    counts = assertion.sign_count or passkey.sign_count
    if counts and assertion.sign_count <= passkey.sign_count:
        raise CeremonyRefused("counter")


def _nobodys_key() -> bytes:
    """Make a key that signs for nobody, to verify with where there is no credential (SEC-067)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = numbers.x.to_bytes(32), numbers.y.to_bytes(32)
    return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y


NOBODYS_KEY = _nobodys_key()
