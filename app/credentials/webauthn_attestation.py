"""What an attestation object may hold before its signature is worth verifying (SEC-051). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID, ObjectIdentifier
from webauthn.helpers import parse_cbor
from webauthn.helpers.exceptions import WebAuthnException

from app.credentials import webauthn_authenticator_data as authenticator_data
from app.credentials.webauthn_cbor import NotCbor, check_whole
from app.credentials.webauthn_keys import RSA_BITS

FORMATS = ("none", "packed", "tpm", "android-key", "apple", "fido-u2f")
_AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_OCTET_STRING_OF_16 = b"\x04\x10"
_MAX_CERTIFICATES = 6


class AttestationRefused(ValueError):
    """An attestation object that does not keep to its format."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation that keeps to its format.

    Attributes:
        format: Its format.
        authenticator_data: What it speaks for.
        is_by_maker: Whether a certificate of the authenticator's maker is part of it, as is not so
            in `none` and in self attestation.
    """

    format: str
    authenticator_data: bytes
    is_by_maker: bool


def check_attestation(encoded: bytes) -> Attestation:
    """Take an attestation object apart, and see that it keeps to its format.

    Raises:
        AttestationRefused: It is none, of a format that is not verified here, or breaks a rule of
            its format that the library does not know.
    """
    form, statement, data = _parts(encoded)
    if form not in FORMATS:
        raise AttestationRefused
    if form == "none" and statement:  # WebAuthn Level 3 §8.7
        raise AttestationRefused
    certificates = _certificates(statement)
    if form == "packed" and certificates:
        _check_packed(certificates[0], data)
    return Attestation(form, data, is_by_maker=bool(certificates))


def _parts(encoded: bytes) -> tuple[str, dict[Any, Any], bytes]:
    try:
        check_whole(encoded)
        value = parse_cbor(encoded)
    except (NotCbor, WebAuthnException) as error:
        raise AttestationRefused from error
    if type(value) is not dict or value.keys() != {"fmt", "attStmt", "authData"}:
        raise AttestationRefused
    form, statement, data = value["fmt"], value["attStmt"], value["authData"]
    if not isinstance(form, str) or type(statement) is not dict or not isinstance(data, bytes):
        raise AttestationRefused
    return form, statement, data


def _certificates(statement: dict[Any, Any]) -> Sequence[x509.Certificate]:
    """Read the chain of an attestation, whose keys must not cost more than ours to verify with."""
    if "x5c" not in statement:
        return []
    chain = statement["x5c"]
    if type(chain) is not list or not 0 < len(chain) <= _MAX_CERTIFICATES:
        raise AttestationRefused
    try:
        certificates = [x509.load_der_x509_certificate(one) for one in chain]
        keys = [certificate.public_key() for certificate in certificates]
    except Exception as error:  # a certificate can be wrong in any way
        raise AttestationRefused from error
    if any(isinstance(key, RSAPublicKey) and key.key_size not in RSA_BITS for key in keys):
        raise AttestationRefused
    return certificates


def _check_packed(certificate: x509.Certificate, data: bytes) -> None:
    """See that a certificate is one for attestation (WebAuthn Level 3 §8.2.1)."""
    try:
        unit = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        attested = authenticator_data.read(data).attested
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise AttestationRefused from error
    if certificate.version is not x509.Version.v3 or constraints.ca or attested is None:
        raise AttestationRefused
    if [one.value for one in unit] != ["Authenticator Attestation"]:
        raise AttestationRefused
    if not _is_for(extensions, attested.aaguid):
        raise AttestationRefused


def _is_for(extensions: x509.Extensions, aaguid: UUID) -> bool:
    """Say whether a certificate that names a model names this one, in a part nobody must know."""
    try:
        named = extensions.get_extension_for_oid(_AAGUID_EXTENSION)
    except x509.ExtensionNotFound:
        return True
    return not named.critical and named.value.public_bytes() == _OCTET_STRING_OF_16 + aaguid.bytes
