"""Bytes that anybody may send: JSON, base64url, CBOR, keys; refused at once and never a defect."""

from copy import deepcopy
from time import process_time

import cbor2
import pytest
from credentials.authenticator import Authenticator, b64, unb64
from hypothesis import example, given
from hypothesis import strategies as st

from app import strictjson
from app.credentials import webauthn_authenticator_data as authenticator_data
from app.credentials.errors import WebAuthnResponseInvalid
from app.credentials.webauthn_attestation import AttestationRefused, check_attestation
from app.credentials.webauthn_authenticator_data import DataMalformed
from app.credentials.webauthn_cbor import MAX_DEPTH, NotCbor, check_whole, end_of_item
from app.credentials.webauthn_json import (
    MAX_ATTESTATION,
    read_assertion,
    read_registration,
)
from app.credentials.webauthn_keys import KeyRefused, check_key
from app.credentials.webauthn_makers import name_of
from app.credentials.webauthn_verify import (
    CeremonyRefused,
    NewCredential,
    RelyingParty,
    challenge_of,
    verify_assertion,
    verify_registration,
)

RP = RelyingParty("localhost", "Sekisho", ("http://localhost:8888",))
CHALLENGE = bytes(range(32))
CREATION = {
    "rp": {"id": "localhost"},
    "user": {"id": b64(bytes(16))},
    "challenge": b64(CHALLENGE),
}
REQUEST = {"rpId": "localhost", "challenge": b64(CHALLENGE)}
DEVICE = Authenticator()
MADE = DEVICE.create(CREATION, attestation="packed", credential_id=b"id" * 16)
SHOWN = DEVICE.get(REQUEST)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
    | st.just(strictjson.exact_number("1" * 40)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)
CBOR_VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1)
    | st.binary()
    | st.text()
    | st.booleans()
    | st.none()
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, at=()):
    """Every place in a JSON value."""
    yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*at, name))


def put(value, at, new):
    changed = deepcopy(value)
    node = changed
    for name in at[:-1]:
        node = node[name]
    if not at:
        return new
    node[at[-1]] = new
    return changed


class TestJson:
    def test_what_browsers_give_is_read(self):
        response = read_registration(MADE)
        assert response.credential_id == MADE["id"]
        assert response.client_data == unb64(MADE["response"]["clientDataJSON"])
        assert read_assertion(SHOWN).user_handle == bytes(16)
        for nothing in ({}, {"userHandle": None}):
            told = put(SHOWN, ("response",), SHOWN["response"] | nothing)
            if not nothing:
                del told["response"]["userHandle"]
            assert read_assertion(told).user_handle is None

    def test_members_that_browsers_may_add_are_passed_over(self):
        added = MADE | {"futureMember": {"a": [1]}, "authenticatorAttachment": None}
        assert read_registration(added) == read_registration(MADE)

    @given(st.sampled_from(sorted(places(MADE))), JSON)
    def test_a_registration_with_anything_anywhere_is_read_or_refused_sec_052(self, at, new):
        read_or_refused(read_registration, put(MADE, at, new))

    @given(st.sampled_from(sorted(places(SHOWN))), JSON)
    def test_an_assertion_with_anything_anywhere_is_read_or_refused_sec_052(self, at, new):
        read_or_refused(read_assertion, put(SHOWN, at, new))

    @pytest.mark.parametrize("missing", ["id", "rawId", "type", "response"])
    def test_what_is_needed_must_be_there(self, missing):
        for read, told in ((read_registration, MADE), (read_assertion, SHOWN)):
            with pytest.raises(WebAuthnResponseInvalid):
                read({name: value for name, value in told.items() if name != missing})

    @pytest.mark.parametrize(
        ("at", "size"),
        [
            (("response", "clientDataJSON"), 4097),
            (("response", "attestationObject"), MAX_ATTESTATION + 1),
        ],
    )
    def test_what_is_too_long_is_refused_sec_052(self, at, size):
        read_registration(put(MADE, at, b64(bytes(size - 1))))
        with pytest.raises(WebAuthnResponseInvalid):
            read_registration(put(MADE, at, b64(bytes(size))))

    @pytest.mark.parametrize(
        ("name", "size"),
        [
            ("clientDataJSON", 4097),
            ("authenticatorData", 2049),
            ("signature", 1025),
            ("userHandle", 65),
        ],
    )
    def test_what_is_too_long_to_sign_is_refused_sec_052(self, name, size):
        read_assertion(put(SHOWN, ("response", name), b64(bytes(size - 1))))
        with pytest.raises(WebAuthnResponseInvalid):
            read_assertion(put(SHOWN, ("response", name), b64(bytes(size))))

    def test_an_id_has_at_most_1023_bytes_sec_049(self):
        for size, is_read in ((1023, True), (1024, False)):
            told = SHOWN | dict.fromkeys(("id", "rawId"), b64(bytes(size)))
            if is_read:
                assert read_assertion(told).credential_id == told["id"]
            else:
                with pytest.raises(WebAuthnResponseInvalid):
                    read_assertion(told)

    def test_another_type_is_refused(self):
        with pytest.raises(WebAuthnResponseInvalid):
            read_assertion(SHOWN | {"type": "password"})

    @pytest.mark.parametrize("raw", ["", "AAAA", SHOWN["id"] + "=", SHOWN["id"] + "A"])
    def test_an_id_that_differs_from_the_raw_id_is_refused_sec_045(self, raw):
        with pytest.raises(WebAuthnResponseInvalid) as refused:
            read_assertion(SHOWN | {"rawId": raw})
        assert refused.value.path == ("rawId",)

    @pytest.mark.parametrize("many", [["usb"] * 17, ["x" * 33], "usb", [1], {"usb": 1}])
    def test_odd_transports_are_refused(self, many):
        with pytest.raises(WebAuthnResponseInvalid):
            read_registration(put(MADE, ("response", "transports"), many))


def read_or_refused(read, value):
    try:
        read(value)
    except WebAuthnResponseInvalid as refused:
        assert refused.path in ((), ("rawId",))


class TestBase64Url:
    @pytest.mark.parametrize(
        "text", ["A", "AA=", "AA==", "A A", "AA\n", "A+", "A/", "AB", "AAB", "é", "\ud800"]
    )
    @pytest.mark.parametrize(
        "name", ["clientDataJSON", "authenticatorData", "signature", "userHandle"]
    )
    def test_another_spelling_is_refused_sec_052(self, name, text):
        with pytest.raises(WebAuthnResponseInvalid):
            read_assertion(put(SHOWN, ("response", name), text))


class TestCbor:
    @given(CBOR_VALUES)
    def test_an_item_ends_where_a_decoder_says_so(self, value):
        encoded = cbor2.dumps(value)
        try:
            assert end_of_item(encoded + b"rest") == len(encoded)
        except NotCbor:  # deeper than we go, or a tag: a number beyond 64 bits is one
            assert depth_of(value) > MAX_DEPTH or has_big(value)

    @given(st.binary(max_size=200))
    @example(b"")
    @example(b"\x9b" + b"\xff" * 8)
    @example(b"\x5b" + b"\xff" * 8)
    @example(b"\xbb" + b"\xff" * 8)
    @example(b"\x81" * 200)
    @example(b"\x1c")
    @example(b"\x5f\x41\x00\xff")
    def test_any_bytes_are_judged_sec_052(self, data):
        try:
            check_whole(data)
        except NotCbor:
            return
        assert end_of_item(data) == len(data)

    def test_depth_ends_at_four_sec_052(self):
        check_whole(b"\x81" * 4 + b"\x00")
        with pytest.raises(NotCbor):
            check_whole(b"\x81" * 5 + b"\x00")

    def test_the_worst_object_is_refused_within_a_tenth_of_a_second_sec_052(self):
        worst = [
            b"\x9a\x00\xff\xff\xff" + b"\x00" * (MAX_ATTESTATION - 5),
            b"\x81" * MAX_ATTESTATION,
            b"\xa1" * MAX_ATTESTATION,
            b"\x80" * MAX_ATTESTATION,
            b"\x99\x7f\xfd" + b"\x80" * (MAX_ATTESTATION - 3),
            cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": bytes(MAX_ATTESTATION - 40)}),
            cbor2.dumps({"fmt": "packed", "attStmt": {"x5c": [bytes(5000)] * 6}, "authData": b""}),
        ]
        for one in worst:
            begin = process_time()
            with pytest.raises((AttestationRefused, DataMalformed)):
                authenticator_data.read(check_attestation(one).authenticator_data)
            assert process_time() - begin < 0.1


def depth_of(value):
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((depth_of(one) for one in inner), default=0)


def has_big(value):
    if isinstance(value, dict):
        return any(has_big(k) or has_big(v) for k, v in value.items())
    if isinstance(value, list):
        return any(has_big(one) for one in value)
    return isinstance(value, int) and not -(2**64) <= value < 2**64


class TestParts:
    @given(st.binary(max_size=300))
    def test_authenticator_data_is_read_or_refused_sec_052(self, data):
        try:
            read = authenticator_data.read(data)
        except DataMalformed:
            return
        assert len(read.rp_id_hash) == 32

    @given(st.binary(max_size=200) | CBOR_VALUES.map(cbor2.dumps))
    def test_any_key_is_refused_sec_049(self, encoded):
        with pytest.raises(KeyRefused):
            check_key(encoded)

    @given(st.dictionaries(st.integers(-4, 4), st.integers(-300, 300) | st.binary(max_size=70)))
    @example({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})
    @example({1: 1, 3: -8, -1: 6, -2: b"", -3: b""})
    @example({1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\x00"})
    def test_a_key_of_odd_parameters_is_refused_sec_049(self, key):
        with pytest.raises(KeyRefused):
            check_key(cbor2.dumps(key))

    @given(st.binary(max_size=200))
    @example(b"[]")
    @example(b'{"challenge": 1}')
    @example(b'{"challenge": "+"}')
    @example(b'{"challenge": "AA", "challenge": "AA"}')
    def test_client_data_without_a_challenge_is_refused(self, data):
        with pytest.raises(CeremonyRefused):
            challenge_of(data)

    def test_a_model_that_nobody_knows_has_no_name(self):
        credential = verified(MADE)
        assert name_of(credential.aaguid) == "Bitwarden"
        assert name_of(type(credential.aaguid)(int=0)) is None


def verified(told, challenge=CHALLENGE) -> NewCredential:
    response = read_registration(told)
    return verify_registration(response, RP, challenge, is_mfa_only=False, needs_verification=False)


class TestCeremonies:
    """SEC-053: what is well signed is accepted, and with one bit changed it is refused."""

    def test_both_ceremonies_end_well(self):
        credential = verified(MADE)
        read = read_assertion(SHOWN)
        key = credential.public_key
        assertion = verify_assertion(read, RP, CHALLENGE, key, needs_verification=True)
        assert assertion.sign_count == 1

    def test_another_challenge_is_refused_sec_044(self):
        with pytest.raises(CeremonyRefused, match="challenge"):
            verified(MADE, bytes(32))

    @given(st.data())
    def test_a_registration_with_a_bit_changed_is_refused_sec_053(self, data):
        name = data.draw(st.sampled_from(["clientDataJSON", "attestationObject"]))
        told = put(MADE, ("response", name), b64(changed(data, MADE["response"][name])))
        try:
            again = verified(told)
        except CeremonyRefused:
            return
        assert again == verified(MADE), "a bit that says nothing: in a certificate's own signature"

    @given(st.data())
    def test_an_assertion_with_a_bit_changed_is_refused_sec_053(self, data):
        name = data.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
        told = put(SHOWN, ("response", name), b64(changed(data, SHOWN["response"][name])))
        key = verified(MADE).public_key
        with pytest.raises(CeremonyRefused):
            verify_assertion(read_assertion(told), RP, CHALLENGE, key, needs_verification=False)

    @given(st.binary(min_size=1, max_size=300))
    def test_an_attestation_of_any_bytes_is_refused_sec_051(self, data):
        with pytest.raises(CeremonyRefused):
            verified(put(MADE, ("response", "attestationObject"), b64(data)))

    @given(
        st.sampled_from(["none", "packed", "tpm", "android-key", "apple", "fido-u2f"]),
        st.dictionaries(
            st.sampled_from(["sig", "x5c", "alg", "ver", "certInfo", "pubArea", "response"]),
            CBOR_VALUES | st.lists(st.binary(max_size=40), max_size=3),
        ),
    )
    def test_any_statement_of_any_format_is_refused_sec_051(self, form, statement):
        whole = cbor2.loads(unb64(MADE["response"]["attestationObject"]))
        whole |= {"fmt": form, "attStmt": statement}
        told = put(MADE, ("response", "attestationObject"), b64(cbor2.dumps(whole)))
        try:
            assert verified(told).attestation_type == "none"
        except CeremonyRefused:
            return
        assert (form, statement) == ("none", {})


def changed(data, text):
    value = bytearray(unb64(text))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(value)
