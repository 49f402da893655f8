"""The examples of WebAuthn Level 3 §16, made by the recipe that the standard gives for them.

Every random value there is drawn by HKDF from one text, and every ECDSA signature has a
deterministic nonce. So an example is made here rather than kept, and the signatures that the
standard prints show that the recipe was followed to the last bit.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import cbor2
from credentials.authenticator import (
    AT,
    BE,
    BS,
    EDDSA,
    ES256,
    ES512,
    RS256,
    RS384,
    RS512,
    UP,
    UV,
    b64,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from app.credentials.webauthn_json import AssertionResponse, RegistrationResponse

RP_ID = "example.org"
RP_ID_HASH = hashlib.sha256(RP_ID.encode()).digest()
ORIGIN = "https://example.org"
TOP_ORIGIN = "https://example.com"
EXTENDED = "clientDataJSON may be extended with additional fields in the future, such as this: "
ES384, ED448 = -35, -53
ANDROID_KEY = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
APPLE_NONCE = ObjectIdentifier("1.2.840.113635.100.8.2")
_CURVES = {
    ES256: (ec.SECP256R1(), hashes.SHA256(), 1, 32),
    ES384: (ec.SECP384R1(), hashes.SHA384(), 2, 48),
    ES512: (ec.SECP521R1(), hashes.SHA512(), 3, 65),
}
_EDWARDS = {
    EDDSA: (ed25519.Ed25519PrivateKey, 6, 32),
    ED448: (ed448.Ed448PrivateKey, 7, 57),
}
_RSA = {RS256: hashes.SHA256(), RS384: hashes.SHA384(), RS512: hashes.SHA512()}
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_END = datetime(3024, 1, 1, tzinfo=UTC)


class Drawn:
    """The values of one example, each drawn under the next salt."""

    def __init__(self, info: str) -> None:
        self._info, self._salt = info, 0

    def next(self, length: int) -> bytes:
        salt = bytes([self._salt])
        self._salt += 1
        derive = HKDF(hashes.SHA256(), length, salt, self._info.encode())
        return derive.derive(b"WebAuthn test vectors")


@dataclass(frozen=True)
class Recipe:
    """What one example is made of.

    The standard's have no `aaguid` of their own choosing, and their Android key is not `described`.
    """

    name: str
    form: str = "none"
    algorithm: int = ES256
    self_attested: bool = False
    challenge: int = 32
    credential_id: int = 32
    cross_origin: bool = False
    top_origin: bool = False
    aaguid: bytes | None = None
    described: bool = False


@dataclass(frozen=True)
class Vector:
    """Both ceremonies of an example."""

    registration: RegistrationResponse
    creation_challenge: bytes
    assertion: AssertionResponse
    request_challenge: bytes

    @property
    def statement(self) -> dict[str, Any]:
        """The attestation statement."""
        whole: dict[str, Any] = cbor2.loads(self.registration.attestation_object)
        statement: dict[str, Any] = whole["attStmt"]
        return statement


RECIPES = {
    one.name: one
    for one in (
        Recipe("none.ES256"),
        Recipe("packed-self.ES256", "packed", self_attested=True),
        Recipe("none.ES256.crossOrigin", cross_origin=True),
        Recipe("none.ES256.topOrigin", cross_origin=True, top_origin=True),
        Recipe("none.ES256.long-credential-id", credential_id=1023),
        Recipe("packed.ES256", "packed"),
        Recipe("packed.ES384", "packed", ES384),
        Recipe("packed.ES512", "packed", ES512, challenge=128),
        Recipe("packed.RS256", "packed", RS256),
        Recipe("packed.EdDSA", "packed", EDDSA),
        Recipe("packed.Ed448", "packed", ED448),
        Recipe("tpm.ES256", "tpm"),
        Recipe("android-key.ES256", "android-key"),
        Recipe("apple.ES256", "apple"),
        Recipe("fido-u2f.ES256", "fido-u2f"),
    )
}


@cache
def vector(recipe: Recipe) -> Vector:
    """Make an example."""
    drawn = Drawn(recipe.name)
    challenge = drawn.next(recipe.challenge)
    key = _credential_key(recipe.algorithm, drawn)
    client_data = _client_data("webauthn.create", challenge, drawn, recipe)
    aaguid, credential_id = drawn.next(16), drawn.next(recipe.credential_id)
    flags = 0 if recipe.form == "fido-u2f" else drawn.next(1)[0] & (UV | BE | BS)
    flags &= ~BS if not flags & BE else 0xFF
    head = RP_ID_HASH + bytes([flags | UP | AT]) + bytes(4)
    name = (recipe.aaguid or aaguid) + len(credential_id).to_bytes(2) + credential_id
    data = head + name + cbor2.dumps(_cose(recipe.algorithm, key))
    statement = _statement(recipe, drawn, key, data, client_data)
    whole = cbor2.dumps({"fmt": recipe.form, "attStmt": statement, "authData": data})
    request = drawn.next(recipe.challenge)
    asked = _client_data("webauthn.get", request, drawn, recipe)
    now = drawn.next(1)[0] & (UV | BS)
    now &= ~BS if not flags & BE else 0xFF
    shown = RP_ID_HASH + bytes([now | (flags & BE) | UP]) + bytes(4)
    signature = _sign(key, recipe.algorithm, _signed(shown, asked))
    return Vector(
        RegistrationResponse(b64(credential_id), client_data, whole, ()),
        challenge,
        AssertionResponse(b64(credential_id), asked, shown, signature, None),
        request,
    )


@cache
def root() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The key and the certificate that every attestation of the examples leads to."""
    drawn = Drawn("Attestation CA")
    key = ec.derive_private_key(int.from_bytes(drawn.next(32)), ec.SECP256R1())
    name = _name("Authenticator Attestation CA")
    builder = (
        _dated(x509.CertificateBuilder(), drawn)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return key, builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def _statement(  # noqa: PLR0911  # one for each format
    recipe: Recipe, drawn: Drawn, key: Any, data: bytes, client_data: bytes
) -> dict[str, Any]:
    signed = _signed(data, client_data)
    digest = hashlib.sha256(client_data).digest()
    match recipe.form:
        case "none":
            return {}
        case "packed" if recipe.self_attested:
            return {"alg": ES256, "sig": _sign(key, ES256, signed)}
        case "packed":
            own = _attestation_key(drawn)
            x5c = _certificate(drawn, own)
            return {"alg": ES256, "sig": _sign(own, ES256, signed), "x5c": [x5c]}
        case "fido-u2f":
            own = _attestation_key(drawn)
            x5c = _certificate(drawn, own)
            credential_id = data[55 : 55 + recipe.credential_id]
            point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            stated = b"\0" + RP_ID_HASH + digest + credential_id + point
            return {"sig": _sign(own, ES256, stated), "x5c": [x5c]}
        case "apple":
            nonce = hashlib.sha256(signed).digest()
            told = _der(0x30, _der(0xA1, _der(0x04, nonce)))
            return {"x5c": [_certificate(drawn, key, [(APPLE_NONCE, told)])]}
        case "android-key":
            told = _key_description(digest, described=recipe.described)
            x5c = [_certificate(drawn, key, [(ANDROID_KEY, told)])]
            x5c += [root()[1].public_bytes(Encoding.DER)] if recipe.described else []
            return {"alg": ES256, "sig": _sign(key, ES256, signed), "x5c": x5c}
        case _:
            return _tpm(drawn, key, signed)


def _tpm(drawn: Drawn, key: ec.EllipticCurvePrivateKey, signed: bytes) -> dict[str, Any]:
    """What a TPM certifies (TPM 2.0 Library, part 2, 10.12 and 12.2)."""
    numbers = key.public_key().public_numbers()
    point = b"".join(b"\0\x20" + one.to_bytes(32) for one in (numbers.x, numbers.y))
    shape = bytes.fromhex("0023 000b 00040000 0000 0010 0010 0003 0010")
    area = shape + point
    name = b"\0\x0b" + hashlib.sha256(area).digest()
    clock = bytes.fromhex("0000000000000000 11111111 22222222 33")
    extra = b"\0\x20" + hashlib.sha256(signed).digest()
    certified = b"\xffTCG\x80\x17\0\0" + extra + clock + bytes(8) + b"\0\x22" + name + b"\0\0"
    own = _attestation_key(drawn)
    return {
        "ver": "2.0",
        "alg": ES256,
        "x5c": [_certificate(drawn, own, is_tpm=True)],
        "sig": _sign(own, ES256, certified),
        "certInfo": certified,
        "pubArea": area,
    }


def _key_description(challenge: bytes, *, described: bool) -> bytes:
    """An Android key's description; the standard's leaves out what the key is for."""
    generated = _der(0xBF, _der(0x02, b"\0"), number=b"\x85\x3e")
    signs = _der(0xA1, _der(0x31, _der(0x02, b"\x02")))
    enforced = signs + generated if described else b""
    return _der(
        0x30,
        _der(0x02, b"\x01\x2c")
        + _der(0x0A, b"\0")
        + _der(0x02, b"\0")
        + _der(0x0A, b"\0")
        + _der(0x04, challenge)
        + _der(0x04, b"")
        + _der(0x30, b"")
        + _der(0x30, enforced),
    )


def _der(tag: int, content: bytes, *, number: bytes = b"") -> bytes:
    """A value of fewer than 128 bytes; *number* continues a tag beyond 30."""
    return bytes([tag]) + number + bytes([len(content)]) + content


def _certificate(
    drawn: Drawn,
    key: ec.EllipticCurvePrivateKey,
    told: Sequence[tuple[ObjectIdentifier, bytes]] = (),
    *,
    is_tpm: bool = False,
) -> bytes:
    ca_key, ca = root()
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    public = key.public_key()
    builder = (
        _dated(x509.CertificateBuilder(), drawn)
        .subject_name(x509.Name([]) if is_tpm else _name("Authenticator Attestation"))
        .issuer_name(ca.subject)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issuer, critical=False)
    )
    if is_tpm:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ObjectIdentifier("2.23.133.8.3")]), critical=False
        ).add_extension(x509.SubjectAlternativeName([_tpm_model()]), critical=True)
    for oid, value in told:
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    made = builder.sign(ca_key, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(Encoding.DER)


def _dated(builder: x509.CertificateBuilder, drawn: Drawn) -> x509.CertificateBuilder:
    serial = int.from_bytes(drawn.next(16))
    return builder.serial_number(serial).not_valid_before(_BEGIN).not_valid_after(_END)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(unit: str) -> x509.Name:
    told = {
        NameOID.COMMON_NAME: "WebAuthn test vectors",
        NameOID.ORGANIZATION_NAME: "W3C",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.COUNTRY_NAME: "AA",
    }
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in told.items()])


def _tpm_model() -> x509.DirectoryName:
    told = ("id:00000000", "WebAuthn test vectors", "id:00000000")
    oids = (ObjectIdentifier(f"2.23.133.2.{number}") for number in (1, 2, 3))
    named = [x509.NameAttribute(oid, value) for oid, value in zip(oids, told, strict=True)]
    return x509.DirectoryName(x509.Name([x509.RelativeDistinguishedName(named)]))


def _attestation_key(drawn: Drawn) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(drawn.next(32)), ec.SECP256R1())


def _credential_key(algorithm: int, drawn: Drawn) -> Any:
    if algorithm in _CURVES:
        curve, _, _, size = _CURVES[algorithm]
        return ec.derive_private_key(int.from_bytes(drawn.next(size)), curve)
    if algorithm in _EDWARDS:
        kind, _, size = _EDWARDS[algorithm]
        return kind.from_private_bytes(drawn.next(size))
    return _mersenne_key()


@cache
def _mersenne_key() -> rsa.RSAPrivateKey:
    """The key of the two smallest Mersenne primes that have 1,024 bits or more."""
    p, q, e = 2**1279 - 1, 2**2203 - 1, 65537
    d = rsa.rsa_recover_private_exponent(e, p, q)
    private = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    )
    return private.private_key()


def _cose(algorithm: int, key: Any) -> dict[int, Any]:
    public = key.public_key()
    if algorithm in _CURVES:
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        x, y = numbers.x.to_bytes(size), numbers.y.to_bytes(size)
        return {1: 2, 3: algorithm, -1: _CURVES[algorithm][2], -2: x, -3: y}
    if algorithm in _EDWARDS:
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {1: 1, 3: algorithm, -1: _EDWARDS[algorithm][1], -2: raw}
    numbers = public.public_numbers()
    size = (public.key_size + 7) // 8
    return {1: 3, 3: algorithm, -1: numbers.n.to_bytes(size), -2: b"\x01\x00\x01"}


def _sign(key: Any, algorithm: int, data: bytes) -> bytes:
    if algorithm in _CURVES:
        signed: bytes = key.sign(data, ec.ECDSA(_CURVES[algorithm][1], deterministic_signing=True))
    elif algorithm in _EDWARDS:
        signed = key.sign(data)
    else:
        signed = key.sign(data, padding.PKCS1v15(), _RSA[algorithm])
    return signed


def _signed(data: bytes, client_data: bytes) -> bytes:
    return data + hashlib.sha256(client_data).digest()


def _client_data(ceremony: str, challenge: bytes, drawn: Drawn, recipe: Recipe) -> bytes:
    told = {
        "type": ceremony,
        "challenge": b64(challenge),
        "origin": ORIGIN,
        "crossOrigin": recipe.cross_origin,
    }
    if recipe.top_origin:
        told["topOrigin"] = TOP_ORIGIN
    if drawn.next(1)[0] & 1:
        told["extraData"] = EXTENDED + b64(drawn.next(16))
    return json.dumps(told, separators=(",", ":")).encode()
