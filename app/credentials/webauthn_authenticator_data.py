"""What an authenticator says of itself and of the credential (WebAuthn Level 3 §6.1). Pure."""

from dataclasses import dataclass
from uuid import UUID

from app.credentials.webauthn_cbor import NotCbor, end_of_item

MAX_CREDENTIAL_ID = 1023
_RP_ID_HASH, _HEAD = 32, 37
_AAGUID, _ID_LENGTH = 16, 2
_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _ATTESTED, _EXTENDED = (1, 4, 8, 16, 64, 128)


class DataMalformed(ValueError):
    """The bytes are no authenticator data."""


@dataclass(frozen=True, slots=True)
class AttestedCredential:
    """A new credential, as its authenticator presents it."""

    aaguid: UUID
    credential_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """The flags and the counter, and at a registration the credential."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    attested: AttestedCredential | None

    @property
    def is_user_present(self) -> bool:
        """Whether somebody touched the authenticator."""
        return bool(self.flags & _PRESENT)

    @property
    def is_user_verified(self) -> bool:
        """Whether the authenticator knows who: by a PIN or a feature of the body."""
        return bool(self.flags & _VERIFIED)

    @property
    def is_backup_eligible(self) -> bool:
        """Whether the credential may leave its device."""
        return bool(self.flags & _ELIGIBLE)

    @property
    def is_backed_up(self) -> bool:
        """Whether it has."""
        return bool(self.flags & _BACKED_UP)


def read(data: bytes) -> AuthenticatorData:
    """Take authenticator data apart.

    Raises:
        DataMalformed: Truncated, longer than its parts, or a part is no CBOR (SEC-052).
    """
    if len(data) < _HEAD:
        raise DataMalformed
    flags = data[_RP_ID_HASH]
    attested, at = _attested(data) if flags & _ATTESTED else (None, _HEAD)
    if flags & _EXTENDED:
        at = _item(data, at)
    if at != len(data):
        raise DataMalformed
    count = int.from_bytes(data[_RP_ID_HASH + 1 : _HEAD])
    return AuthenticatorData(data[:_RP_ID_HASH], flags, count, attested)


def _attested(data: bytes) -> tuple[AttestedCredential, int]:
    begin = _HEAD + _AAGUID + _ID_LENGTH
    length = int.from_bytes(data[begin - _ID_LENGTH : begin])
    key = begin + length
    if not 0 < length <= MAX_CREDENTIAL_ID or key > len(data):
        raise DataMalformed
    end = _item(data, key)
    aaguid = UUID(bytes=data[_HEAD : _HEAD + _AAGUID])
    return AttestedCredential(aaguid, data[begin:key], data[key:end]), end


def _item(data: bytes, start: int) -> int:
    try:
        return end_of_item(data, start)
    except NotCbor as error:
        raise DataMalformed from error
