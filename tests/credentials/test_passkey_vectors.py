"""The test vectors of WebAuthn Level 3 §16: those that are accepted here, and why others are not.

The three formats that no example of the standard passes here for want of a maker are taken once
more with a maker that is known for the length of a test.
"""

from dataclasses import replace

import cbor2
import pytest
from credentials.authenticator import ES256, ES512, RS384, RS512
from credentials.vectors import ORIGIN, RECIPES, RP_ID, RP_ID_HASH, Vector, root, vector
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from webauthn.helpers.tpm.structs import TPM_MANUFACTURERS, TPMManufacturerInfo
from webauthn.registration.formats import android_key, apple

from app.credentials.webauthn_keys import ALGORITHMS
from app.credentials.webauthn_verify import (
    CeremonyRefused,
    NewCredential,
    RelyingParty,
    verify_assertion,
    verify_registration,
)

RP = RelyingParty(RP_ID, "Example", (ORIGIN,))
PRINTED = {
    "none.ES256": ("", "3046022100f50a4e2e4409249c4a853ba361282f09841df4"),
    "packed-self.ES256": (
        "30440220067a20754ab925005dbf378097c92120031581c7",
        "304402203310b9431903c401f1be2bdc8d23a4007682dbbd",
    ),
    "none.ES256.crossOrigin": ("", "3046022100eb12fcf23b12764c0f122e22371fab92e28387"),
    "none.ES256.topOrigin": ("", "3045022100b5a70c81780d5fcc9a4f2ae9caae99058f8acc"),
    "none.ES256.long-credential-id": ("", "304502203ecef83fb12a0cae7841055f9f87103a99fd14b4"),
    "packed.ES256": (
        "304502203f19ec4b229f46ab8c45eff29b904ff10c0390dc",
        "30450220694969d3ee928de6f02ef23a9c644d7d77991645",
    ),
    "packed.RS256": (
        "30450221008b8c5c6ea8c142c032e0be69e1353d44461c5c",
        "01063d52d7c39b4d432fc7063c5d93e582bdcb16889cd71f",
    ),
    "packed.EdDSA": (
        "3046022100d83f60bd80269537583218858aefb03ac57d45",
        "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a",
    ),
    "apple.ES256": ("", "3046022100ee35db795ce28044e1f8231d68b3d79a9882f7"),
    "fido-u2f.ES256": (
        "3045022100f41887a20063bb26867cb9751978accea5b817",
        "304402206172459958fea907b7292b92f555034bfd884895",
    ),
}
"""How the signatures begin that the standard prints: the attestation's and the assertion's."""

CERTIFIED = {
    "packed.ES256": "1a88a7f0d0c17b091ffc6b9238d30f79f635b417be5910e7",
    "apple.ES256": "b1490b3c660abf5dcd74398187082dacb58b6744de4aca60",
}
"""How the certificates end: with the signature of whoever has issued them."""

ACCEPTED = {
    "none.ES256": "none",
    "packed-self.ES256": "packed",
    "none.ES256.long-credential-id": "none",
    "packed.ES256": "packed",
    "packed.ES512": "packed",
    "packed.RS256": "packed",
    "packed.EdDSA": "packed",
}
REFUSED = {
    "none.ES256.crossOrigin": "embedded",
    "none.ES256.topOrigin": "embedded",
    "packed.ES384": "public_key",  # no algorithm that is offered
    "packed.Ed448": "public_key",
    "tpm.ES256": "attestation",  # a maker of number 0
    "android-key.ES256": "attestation",  # no chain, and nothing said of what the key is for
    "apple.ES256": "attestation",  # not Apple's root
    "fido-u2f.ES256": "attestation",  # U2F knows no AAGUID, so it is zero
}
BY_ALGORITHM = {
    "ES256": RECIPES["packed.ES256"],
    "ES512": RECIPES["packed.ES512"],
    "RS256": RECIPES["packed.RS256"],
    "RS384": replace(RECIPES["packed.RS256"], algorithm=RS384),
    "RS512": replace(RECIPES["packed.RS256"], algorithm=RS512),
    "EdDSA": RECIPES["packed.EdDSA"],
}
ORDERS = {
    ES256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ES512: int(
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
        "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        16,
    ),
}
"""How many points the curves have: no number of a signature reaches it (FIPS 186-5)."""
U2F = replace(RECIPES["fido-u2f.ES256"], aaguid=bytes(16))
DESCRIBED = replace(RECIPES["android-key.ES256"], described=True)


@pytest.fixture
def known_makers(monkeypatch):
    """Take the root of the examples for Apple's and Google's, and their TPM's maker for one."""
    pem = root()[1].public_bytes(Encoding.PEM)
    monkeypatch.setattr(apple, "apple_webauthn_root_ca", pem)
    monkeypatch.setattr(android_key, "google_hardware_attestation_root_2", pem)
    monkeypatch.setitem(TPM_MANUFACTURERS, "id:00000000", TPMManufacturerInfo("Nobody", "0"))


def registered(one: Vector, challenge: bytes | None = None) -> NewCredential:
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


def key_of(one: Vector) -> bytes:
    """The credential's key, as the attestation object ends with it."""
    data = cbor2.loads(one.registration.attestation_object)["authData"]
    return data[55 + int.from_bytes(data[53:55]) :]


def flipped(value: bytes, place: int, bit: int = 0) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 1 << bit
    return bytes(changed)


def each_bit_flipped(value: bytes):
    for place in range(len(value)):
        for bit in range(8):
            yield flipped(value, place, bit)


def with_object(one: Vector, whole: bytes) -> Vector:
    return replace(one, registration=replace(one.registration, attestation_object=whole))


@pytest.mark.parametrize("name", PRINTED)
def test_the_recipe_gives_what_the_standard_prints(name):
    one = vector(RECIPES[name])
    attestation, assertion = PRINTED[name]
    assert one.statement.get("sig", b"").hex()[:48] == attestation
    assert one.assertion.signature.hex()[:48] == assertion
    if name in CERTIFIED:
        assert one.statement["x5c"][0].hex().endswith(CERTIFIED[name])


def test_every_vector_is_either_accepted_or_refused():
    assert ACCEPTED.keys() | REFUSED.keys() == RECIPES.keys()
    assert {recipe.algorithm for recipe in BY_ALGORITHM.values()} == set(map(int, ALGORITHMS))


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_published_vectors_verify_sec_053(name):
    one = vector(RECIPES[name])
    credential = registered(one)
    assert credential.attestation_type == ACCEPTED[name]
    assert credential.public_key == key_of(one)
    assertion = asserted(one, credential.public_key)
    assert assertion.is_backup_eligible == credential.is_backup_eligible


@pytest.mark.parametrize("name", REFUSED)
def test_a_published_vector_that_keeps_to_no_rule_of_ours_is_refused_for_it_sec_051(name):
    """SEC-046, SEC-049, SEC-051: and the reason is the right one."""
    with pytest.raises(CeremonyRefused) as refused:
        registered(vector(RECIPES[name]))
    assert str(refused.value) == REFUSED[name]


@pytest.mark.parametrize("name", ["none.ES256.crossOrigin", "none.ES256.topOrigin"])
def test_the_assertion_of_an_embedded_page_is_refused_sec_046(name):
    one = vector(RECIPES[name])
    with pytest.raises(CeremonyRefused, match="embedded"):
        asserted(one, key_of(one))


@pytest.mark.parametrize("name", [n for n, why in REFUSED.items() if why == "attestation"])
def test_an_assertion_says_nothing_of_how_its_key_was_attested(name):
    one = vector(RECIPES[name])
    asserted(one, key_of(one))


class TestFormats:
    """Every format that is offered is accepted in full, and refused with any of it altered."""

    RECIPES = (RECIPES["tpm.ES256"], DESCRIBED, RECIPES["apple.ES256"], U2F)

    @pytest.mark.usefixtures("known_makers")
    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.form)
    def test_it_verifies_where_its_maker_is_known_sec_051(self, recipe):
        assert registered(vector(recipe)).attestation_type == recipe.form

    @pytest.mark.parametrize("recipe", RECIPES[:3], ids=lambda recipe: recipe.form)
    def test_it_does_not_where_its_maker_is_not_sec_051(self, recipe):
        with pytest.raises(CeremonyRefused, match="attestation"):
            registered(vector(recipe))

    @pytest.mark.usefixtures("known_makers")
    def test_an_android_key_must_say_what_it_is_for_sec_051(self):
        undescribed = vector(RECIPES["android-key.ES256"])
        whole = cbor2.loads(undescribed.registration.attestation_object)
        whole["attStmt"]["x5c"].append(root()[1].public_bytes(Encoding.DER))
        with pytest.raises(CeremonyRefused, match="attestation"):
            registered(with_object(undescribed, cbor2.dumps(whole)))

    @pytest.mark.usefixtures("known_makers")
    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.form)
    def test_none_of_it_may_be_left_out_or_altered_sec_051(self, recipe):
        one = vector(recipe)
        whole = cbor2.loads(one.registration.attestation_object)
        for name, value in one.statement.items():
            for other in altered(value):
                statement = {k: v for k, v in whole["attStmt"].items() if k != name}
                statement |= {} if other is None else {name: other}
                falsified = with_object(one, cbor2.dumps(whole | {"attStmt": statement}))
                with pytest.raises(CeremonyRefused, match="attestation"):
                    registered(falsified)

    @pytest.mark.usefixtures("known_makers")
    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.form)
    def test_what_it_speaks_for_may_not_be_altered_sec_053(self, recipe):
        one = vector(recipe)
        whole = one.registration.attestation_object
        begin = whole.index(RP_ID_HASH)
        for place in (begin, begin + 32, begin + 55, len(whole) - 1):
            with pytest.raises(CeremonyRefused):
                registered(with_object(one, flipped(whole, place)))


def altered(value):
    """Other values of a member of a statement; None stands for none at all."""
    match value:
        case bytes():
            others = [flipped(value, len(value) // 2), flipped(value, -1), value[:-1], b""]
        case list():
            others = [[], [flipped(value[0], len(value[0]) // 3), *value[1:]], [b""]]
        case int():
            others = [-65535, 0]
        case _:
            others = ["1.2", ""]
    return [None, *others]


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("part", ["rp_id_hash", "flags", "key", "challenge", "statement"])
def test_a_registration_with_one_byte_altered_is_refused_sec_053(name, part):
    one = vector(RECIPES[name])
    whole = one.registration.attestation_object
    begin = whole.index(RP_ID_HASH)
    place = {
        "rp_id_hash": begin,
        "flags": begin + 32,
        "key": len(whole) - 1,
        "challenge": 0,
        "statement": whole.index(b"attStmt") + 7,
    }[part]
    challenge = flipped(one.creation_challenge, 0) if part == "challenge" else None
    altered = whole if challenge else flipped(whole, place)
    with pytest.raises(CeremonyRefused):
        registered(with_object(one, altered), challenge)


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("part", ["rp_id_hash", "flags", "key", "challenge", "signature", "count"])
def test_an_assertion_with_one_byte_altered_is_refused_sec_053(name, part):
    one = vector(RECIPES[name])
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


@pytest.mark.parametrize("name", BY_ALGORITHM)
@pytest.mark.parametrize("part", ["client_data", "authenticator_data", "signature"])
def test_no_bit_of_an_assertion_may_be_changed_sec_053(name, part):
    """Of each algorithm that is offered, every bit of every signed part and of the signature."""
    one = vector(BY_ALGORITHM[name])
    key = key_of(one)
    asserted(one, key)
    for changed in each_bit_flipped(getattr(one.assertion, part)):
        falsified = replace(one, assertion=replace(one.assertion, **{part: changed}))
        with pytest.raises(CeremonyRefused):
            asserted(falsified, key)


@pytest.mark.parametrize("name", ["packed-self.ES256", "packed.ES256"])
def test_no_bit_of_an_attestations_signature_may_be_changed_sec_053(name):
    one = vector(RECIPES[name])
    whole, signature = one.registration.attestation_object, one.statement["sig"]
    for changed in each_bit_flipped(signature):
        with pytest.raises(CeremonyRefused, match="attestation"):
            registered(with_object(one, whole.replace(signature, changed)))


def integer(value: bytes) -> bytes:
    return b"\x02" + bytes([len(value)]) + value


def sequence(value: bytes, *, long: bool = False) -> bytes:
    length = bytes([len(value)])
    return b"\x30" + (b"\x81" + length if long or len(value) > 127 else length) + value


@pytest.mark.parametrize("name", ["ES256", "ES512"])
def test_a_signature_has_one_spelling_sec_052(name):
    """RFC 3279 §2.2.3 and X.690 §10: an ECDSA signature is DER, and no other BER."""
    recipe = BY_ALGORITHM[name]
    one = vector(recipe)
    key, signature = key_of(one), one.assertion.signature
    order = ORDERS[recipe.algorithm]
    numbers = decode_dss_signature(signature)
    r, s = (value.to_bytes(value.bit_length() // 8 + 1) for value in numbers)
    assert sequence(integer(r) + integer(s)) == signature
    others = {
        "a longer length": b"\x30" + b"\x82\0" + signature[1:].removeprefix(b"\x81"),
        "a zero before r": sequence(integer(b"\0" + r) + integer(s)),
        "a zero before s": sequence(integer(r) + integer(b"\0" + s)),
        "no definite length": b"\x30\x80" + integer(r) + integer(s) + b"\0\0",
        "a byte behind it": signature + b"\0",
        "a byte within it": sequence(integer(r) + integer(s) + b"\0"),
        "a third number": sequence(integer(r) + integer(s) + integer(b"\1")),
        "r beyond the order": encode_dss_signature(numbers[0] + order, numbers[1]),
        "s beyond the order": encode_dss_signature(numbers[0], numbers[1] + order),
        "a negative s": sequence(integer(r) + integer((-numbers[1]).to_bytes(len(s), signed=True))),
        "no sequence": integer(r) + integer(s),
        "both numbers alone": numbers[0].to_bytes(66) + numbers[1].to_bytes(66),
        "nothing": b"",
    }
    for spelling in others.values():
        with pytest.raises(CeremonyRefused, match="signature"):
            asserted(replace(one, assertion=replace(one.assertion, signature=spelling)), key)
