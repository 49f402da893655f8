"""A software authenticator and the browser around it: real bytes, and every part can be falsified.

It speaks the JSON of WebAuthn Level 3: options in, what `toJSON()` gives out. What is falsified is
falsified before it is signed, so that nothing but the rule under test can refuse it.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

ORIGIN = "http://localhost:8888"
UP, UV, BE, BS, AT, ED = 1, 4, 8, 16, 64, 128
ES256, EDDSA, ES512, RS256, RS384, RS512 = -7, -8, -36, -257, -258, -259
AAGUID = bytes.fromhex("d548826e79b4db40a3d811116f7e8349")
AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_EC = {ES256: (ec.SECP256R1(), hashes.SHA256(), 1), ES512: (ec.SECP521R1(), hashes.SHA512(), 3)}
_RSA = {RS256: hashes.SHA256(), RS384: hashes.SHA384(), RS512: hashes.SHA512()}

Change = Callable[[bytes], bytes]


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key for all tests: to make one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Credential:
    """A key pair in the authenticator."""

    id: bytes
    rp_id: str
    user_handle: bytes
    algorithm: int
    key: Any
    count: int = 0

    def sign(self, data: bytes) -> bytes:
        if self.algorithm in _EC:
            return self.key.sign(data, ec.ECDSA(_EC[self.algorithm][1]))
        if self.algorithm in _RSA:
            return self.key.sign(data, padding.PKCS1v15(), _RSA[self.algorithm])
        return self.key.sign(data)

    def cose(self) -> dict[int, Any]:
        """The public key as COSE writes it."""
        public = self.key.public_key()
        if self.algorithm in _EC:
            numbers, curve = public.public_numbers(), _EC[self.algorithm][2]
            size = (public.key_size + 7) // 8
            x, y = numbers.x.to_bytes(size), numbers.y.to_bytes(size)
            return {1: 2, 3: self.algorithm, -1: curve, -2: x, -3: y}
        if self.algorithm in _RSA:
            numbers = public.public_numbers()
            size = (public.key_size + 7) // 8
            return {1: 3, 3: self.algorithm, -1: numbers.n.to_bytes(size), -2: b"\x01\x00\x01"}
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return {1: 1, 3: self.algorithm, -1: 6, -2: public.public_bytes(*raw)}


def new_key(algorithm: int) -> Any:
    if algorithm in _EC:
        return ec.generate_private_key(_EC[algorithm][0])
    return rsa_key() if algorithm in _RSA else ed25519.Ed25519PrivateKey.generate()


class Authenticator:
    """Makes credentials and signs with the newest, unless another is named."""

    def __init__(self, algorithm: int = ES256, *, aaguid: bytes = AAGUID) -> None:
        self.algorithm, self.aaguid = algorithm, aaguid
        self.credentials: list[Credential] = []

    def create(
        self,
        options: dict[str, Any],
        *,
        origin: str = ORIGIN,
        client: dict[str, Any] | None = None,
        flags: int = UP | UV,
        rp_id: str | None = None,
        credential_id: bytes | None = None,
        cose: dict[Any, Any] | bytes | None = None,
        count: int = 0,
        attestation: str = "none",
        certificate: dict[str, Any] | None = None,
        statement: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        extensions: bytes = b"",
        data: Change | None = None,
        attestation_object: Change | None = None,
        transports: Any = ("internal", "hybrid"),
    ) -> dict[str, Any]:
        """Do what `navigator.credentials.create` does."""
        own = rp_id or options["rp"]["id"]
        made = Credential(
            id=credential_id or os.urandom(32),
            rp_id=options["rp"]["id"],
            user_handle=unb64(options["user"]["id"]),
            algorithm=self.algorithm,
            key=new_key(self.algorithm),
            count=count,
        )
        self.credentials.append(made)
        client_data = _client_data("webauthn.create", options, origin, client)
        cose = made.cose() if cose is None else cose
        key = cose if isinstance(cose, bytes) else cbor2.dumps(cose)
        attested = self.aaguid + len(made.id).to_bytes(2) + made.id + key
        flags |= AT | (ED if extensions else 0)
        written = _authenticator_data(own, flags, count) + attested + extensions
        written = data(written) if data else written
        form, stated = self._attest(attestation, made, written, client_data, certificate or {})
        stated = statement(stated) if statement else stated
        whole = cbor2.dumps({"fmt": form, "attStmt": stated, "authData": written})
        whole = attestation_object(whole) if attestation_object else whole
        response = {
            "clientDataJSON": b64(client_data),
            "attestationObject": b64(whole),
            "authenticatorData": b64(written),
            "publicKeyAlgorithm": self.algorithm,
            "transports": list(transports) if isinstance(transports, tuple) else transports,
        }
        return _credential(made.id, response)

    def get(
        self,
        options: dict[str, Any],
        *,
        credential: Credential | None = None,
        origin: str = ORIGIN,
        client: dict[str, Any] | None = None,
        flags: int = UP | UV,
        rp_id: str | None = None,
        count: int | None = None,
        user_handle: bytes | None = b"own",
        named: bytes | None = None,
        data: Change | None = None,
        signature: Change | None = None,
    ) -> dict[str, Any]:
        """Do what `navigator.credentials.get` does; *named* is the id that is told."""
        used = credential or self.credentials[-1]
        if count is None:
            count = used.count = used.count + 1
        client_data = _client_data("webauthn.get", options, origin, client)
        written = _authenticator_data(rp_id or options["rpId"], flags, count)
        written = data(written) if data else written
        signed = used.sign(written + hashlib.sha256(client_data).digest())
        response: dict[str, Any] = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(written),
            "signature": b64(signature(signed) if signature else signed),
        }
        if user_handle is not None:
            response["userHandle"] = b64(used.user_handle if user_handle == b"own" else user_handle)
        return _credential(named or used.id, response)

    def _attest(
        self, kind: str, made: Credential, data: bytes, client: bytes, certificate: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        signed = data + hashlib.sha256(client).digest()
        if kind == "self":
            return "packed", {"alg": made.algorithm, "sig": made.sign(signed)}
        if kind == "packed":
            key = ec.generate_private_key(ec.SECP256R1())
            sig = key.sign(signed, ec.ECDSA(hashes.SHA256()))
            x5c = [attestation_certificate(key, self.aaguid, **certificate)]
            return "packed", {"alg": ES256, "sig": sig, "x5c": x5c}
        return kind, {}


def attestation_certificate(
    key: Any,
    aaguid: bytes,
    *,
    unit: str = "Authenticator Attestation",
    ca: bool = False,
    named: bytes | None = None,
    critical: bool = False,
    basic: bool = True,
    model: bool = True,
) -> bytes:
    """A certificate as an authenticator's maker gives it."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Maker"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, "Model"),
        ]
    )
    now = datetime.now(UTC)
    told = x509.UnrecognizedExtension(AAGUID_EXTENSION, b"\x04\x10" + (named or aaguid))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if model:
        builder = builder.add_extension(told, critical=critical)
    if basic:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _client_data(
    ceremony: str, options: dict[str, Any], origin: str, changed: dict[str, Any] | None
) -> bytes:
    told = {
        "type": ceremony,
        "challenge": options["challenge"],
        "origin": origin,
        "crossOrigin": False,
    }
    told |= changed or {}
    return json.dumps({k: v for k, v in told.items() if v is not ...}).encode()


def _authenticator_data(rp_id: str, flags: int, count: int) -> bytes:
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4)


def _credential(credential_id: bytes, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": b64(credential_id),
        "rawId": b64(credential_id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }
