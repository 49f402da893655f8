"""The test vectors of WebAuthn Level 3 §16, made by the recipe that the standard gives for them.

Every random value there is drawn by HKDF from one text, and every signature has a deterministic
nonce; the signatures that the standard prints show that the recipe was followed.
"""

import hashlib
import json
from dataclasses import dataclass, replace

import cbor2
import pytest
from credentials.authenticator import AT, BE, BS, ES256, UP, UV, Credential, b64
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.credentials.webauthn_json import AssertionResponse, RegistrationResponse
from app.credentials.webauthn_verify import (
    CeremonyRefused,
    RelyingParty,
    verify_assertion,
    verify_registration,
)

RP = RelyingParty("example.org", "Example", ("https://example.org",))
RP_ID_HASH = hashlib.sha256(b"example.org").digest()
EXTENDED = "clientDataJSON may be extended with additional fields in the future, such as this: "
ATTESTED = {
    "none.ES256": "",
    "packed-self.ES256": "30440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da983"
    "02207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d",
}
SHOWN = {
    "none.ES256": "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd38"
    "0221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87",
    "packed-self.ES256": "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf840"
    "02204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66",
}


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
class Vector:
    """Both ceremonies of an example."""

    registration: RegistrationResponse
    creation_challenge: bytes
    attestation_signature: bytes
    assertion: AssertionResponse
    request_challenge: bytes


def vector(name: str, *, cross_origin: bool = False) -> Vector:
    drawn = Drawn(name)
    challenge = drawn.next(32)
    key = ec.derive_private_key(int.from_bytes(drawn.next(32)), ec.SECP256R1())
    client_data = _client_data("webauthn.create", challenge, drawn, cross_origin=cross_origin)
    aaguid, credential_id = drawn.next(16), drawn.next(32)
    flags = drawn.next(1)[0] & (UV | BE | BS)
    flags &= ~BS if not flags & BE else 0xFF
    cose = cbor2.dumps(Credential(b"", "", b"", ES256, key).cose())
    head = RP_ID_HASH + bytes([flags | UP | AT]) + bytes(4)
    data = head + aaguid + (32).to_bytes(2) + credential_id + cose
    signature = _sign(key, data, client_data)
    is_packed = name.startswith("packed")
    statement = {"alg": ES256, "sig": signature} if is_packed else {}
    form = "packed" if is_packed else "none"
    whole = cbor2.dumps({"fmt": form, "attStmt": statement, "authData": data})
    request = drawn.next(32)
    asked = _client_data("webauthn.get", request, drawn, cross_origin=cross_origin)
    now = drawn.next(1)[0] & (UV | BS)
    now &= ~BS if not flags & BE else 0xFF
    shown = RP_ID_HASH + bytes([now | (flags & BE) | UP]) + bytes(4)
    return Vector(
        RegistrationResponse(b64(credential_id), client_data, whole, ()),
        challenge,
        signature if is_packed else b"",
        AssertionResponse(b64(credential_id), asked, shown, _sign(key, shown, asked), None),
        request,
    )


def _client_data(ceremony: str, challenge: bytes, drawn: Drawn, *, cross_origin: bool) -> bytes:
    told = {
        "type": ceremony,
        "challenge": b64(challenge),
        "origin": "https://example.org",
        "crossOrigin": cross_origin,
    }
    if drawn.next(1)[0] & 1:
        told["extraData"] = EXTENDED + b64(drawn.next(16))
    return json.dumps(told, separators=(",", ":")).encode()


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes, client_data: bytes) -> bytes:
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return key.sign(data + hashlib.sha256(client_data).digest(), algorithm)


def registered(one: Vector, challenge: bytes | None = None):
    return verify_registration(
        one.registration,
        RP,
        challenge or one.creation_challenge,
        is_mfa_only=False,
        needs_verification=False,
    )


def asserted(one: Vector, public_key: bytes, challenge: bytes | None = None):
    return verify_assertion(
        one.assertion, RP, challenge or one.request_challenge, public_key, needs_verification=False
    )


def flipped(value: bytes, place: int) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("name", SHOWN)
def test_the_recipe_gives_what_the_standard_prints(name):
    one = vector(name)
    assert one.attestation_signature.hex() == ATTESTED[name]
    assert one.assertion.signature.hex() == SHOWN[name]


@pytest.mark.parametrize("name", SHOWN)
def test_the_published_vectors_verify_sec_053(name):
    one = vector(name)
    credential = registered(one)
    assert credential.attestation_type == ("none" if name.startswith("none") else "packed")
    assertion = asserted(one, credential.public_key)
    assert assertion.is_backup_eligible == credential.is_backup_eligible


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("part", ["rp_id_hash", "flags", "key", "challenge", "attestation"])
def test_a_registration_with_one_byte_altered_is_refused_sec_053(name, part):
    one = vector(name)
    whole = one.registration.attestation_object
    begin = whole.index(RP_ID_HASH)
    place = {
        "rp_id_hash": begin,
        "flags": begin + 32,
        "key": len(whole) - 1,
        "challenge": 0,
        "attestation": whole.index(b"attStmt") + 7,
    }[part]
    challenge = flipped(one.creation_challenge, 0) if part == "challenge" else None
    altered = whole if challenge else flipped(whole, place)
    falsified = replace(one, registration=replace(one.registration, attestation_object=altered))
    with pytest.raises(CeremonyRefused):
        registered(falsified, challenge)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("part", ["rp_id_hash", "flags", "key", "challenge", "signature", "count"])
def test_an_assertion_with_one_byte_altered_is_refused_sec_053(name, part):
    one = vector(name)
    key, shown = registered(one).public_key, one.assertion
    data = shown.authenticator_data
    changed = {
        "rp_id_hash": {"authenticator_data": flipped(data, 0)},
        "flags": {"authenticator_data": flipped(data, 32)},
        "count": {"authenticator_data": flipped(data, 36)},
        "signature": {"signature": flipped(shown.signature, -1)},
    }.get(part, {})
    challenge = flipped(one.request_challenge, 0) if part == "challenge" else None
    falsified = replace(one, assertion=replace(shown, **changed))
    with pytest.raises(CeremonyRefused):
        asserted(falsified, flipped(key, 20) if part == "key" else key, challenge)


def test_the_vector_of_an_embedded_page_is_refused_sec_046():
    with pytest.raises(CeremonyRefused, match="embedded"):
        registered(vector("none.ES256.crossOrigin", cross_origin=True))
