"""ID tokens that are not as they must be, at every provider that issues them."""

import base64
import hashlib
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from federation.connectors.doubles import (
    CASES,
    CLIENT_ID,
    NONCE,
    ec_key,
    half_of,
    jwk_of,
    rsa_key,
)
from federation.connectors.loopback import Reply
from hypothesis import given
from hypothesis import strategies as st

from app import base64url
from app.federation.errors import ProviderUnreachable, UserDataUnusable
from app.federation.id_tokens import half_hash

OIDC = pytest.mark.parametrize("name", [case.name for case in CASES if case.is_oidc])
NOW = time.time()
CHANGES = [
    ("no nonce", {"nonce": None}),
    ("no nonce, and none supported", {"nonce": None, "nonce_supported": False}),
    ("another nonce", {"nonce": "another"}),
    ("an empty nonce", {"nonce": ""}),
    ("a nonce in a list", {"nonce": [NONCE]}),
    ("the nonce hashed", {"nonce": hashlib.sha256(NONCE.encode()).hexdigest()}),
    ("no issuer", {"iss": None}),
    ("another issuer", {"iss": "https://evil.example.com"}),
    ("an issuer in a list", {"iss": ["https://evil.example.com"]}),
    ("no audience", {"aud": None}),
    ("another audience", {"aud": "another-client"}),
    ("a part of the audience", {"aud": CLIENT_ID[:-1]}),
    ("an empty list of audiences", {"aud": []}),
    ("other audiences", {"aud": ["a", "b"]}),
    ("several audiences and no party", {"aud": [CLIENT_ID, "another-client"]}),
    ("several audiences, another party", {"aud": [CLIENT_ID, "another"], "azp": "another"}),
    ("another party", {"azp": "another-client"}),
    ("a party in a list", {"azp": [CLIENT_ID]}),
    ("an audience that is an object", {"aud": {CLIENT_ID: 1}}),
    ("no end", {"exp": None}),
    ("an end that is past", {"exp": int(NOW) - 120}),
    ("an end as text", {"exp": str(int(NOW) + 600)}),
    ("an end that is true", {"exp": True}),
    ("no beginning", {"iat": None}),
    ("issued tomorrow", {"iat": int(NOW) + 86_400, "exp": int(NOW) + 90_000}),
    ("issued as text", {"iat": str(int(NOW))}),
    ("not good before tomorrow", {"nbf": int(NOW) + 86_400}),
    ("a beginning that is no number", {"nbf": "now"}),
    ("another access token", {"at_hash": half_of("another token")}),
    ("an empty hash", {"at_hash": ""}),
    ("a hash that is a number", {"at_hash": 5}),
    ("a hash that is nothing", {"at_hash": [None]}),
    ("the whole hash", {"at_hash": base64url.encode(hashlib.sha256(b"x").digest())}),
    ("no subject", {"sub": None}),
]


def changed(double, changes: dict) -> None:
    double.claims |= changes
    for name in [name for name, value in changes.items() if value is None]:
        del double.claims[name]


def pem(key) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def signed_by_hand(double, header: dict, signature: bytes) -> str:
    parts = [json.dumps(one).encode() for one in (header, double.claims)]
    return ".".join(map(base64url.encode, [*parts, signature]))


async def refused(meeting) -> None:
    with pytest.raises(UserDataUnusable):
        await meeting.identify()
    if "at_hash" not in meeting.double.claims:
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(meeting.double.sign(), NONCE)


class TestClaims:
    @OIDC
    @pytest.mark.parametrize(("what", "changes"), CHANGES, ids=[what for what, _ in CHANGES])
    async def test_a_claim_that_is_wrong_signs_nobody_in_sec_076_077(
        self, meet, name, what, changes
    ):
        meeting = await meet(name)
        changed(meeting.double, changes)
        with pytest.raises(UserDataUnusable):
            await meeting.identify()
        assert meeting.server.count("/user") == 0

    @OIDC
    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": [CLIENT_ID]},
            {"aud": [CLIENT_ID, "another-client"], "azp": CLIENT_ID},
            {"azp": CLIENT_ID},
            {"at_hash": None},
            {"exp": int(NOW) + 86_400.5, "iat": int(NOW) - 0.5},
            {"iat": int(NOW) + 30},
            {"nbf": int(NOW) - 30},
        ],
    )
    async def test_what_the_specification_allows_is_taken_sec_077(self, meet, name, changes):
        meeting = await meet(name)
        changed(meeting.double, changes)
        assert (await meeting.identify()).subject == "person-1"

    @OIDC
    async def test_a_token_ends_when_it_says_sec_077(self, meet, name, clock):
        meeting = await meet(name)
        clock.advance(seconds=630)
        assert (await meeting.identify()).subject == "person-1"  # within a minute of the clocks
        clock.advance(seconds=60)
        await refused(meeting)

    @OIDC
    async def test_without_an_id_token_nobody_signs_in_sec_076(self, meet, name):
        meeting = await meet(name)
        meeting.double.has_id_token = False
        await refused(meeting)


class TestSignatures:
    @OIDC
    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "foo"])
    async def test_only_signatures_of_asymmetric_keys_count_sec_077(self, meet, name, algorithm):
        meeting = await meet(name)
        header = {"alg": algorithm, "kid": "one"}
        for signature in (b"", b"x" * 32):
            meeting.double.id_token = signed_by_hand(meeting.double, header, signature)
            await refused(meeting)

    @OIDC
    async def test_a_public_key_is_no_shared_secret_sec_077(self, meet, name):
        meeting = await meet(name)
        key = rsa_key()
        numbers = jwk_of(key)
        for secret in (
            pem(key),
            pem(key).strip(),
            numbers["n"].encode(),
            json.dumps(numbers).encode(),
        ):
            header = {"alg": "HS256", "kid": "one"}
            parts = [json.dumps(one).encode() for one in (header, meeting.double.claims)]
            data = ".".join(map(base64url.encode, parts)).encode()
            signature = jwt.algorithms.HMACAlgorithm(hashlib.sha256).sign(data, secret)
            meeting.double.id_token = f"{data.decode()}.{base64url.encode(signature)}"
            await refused(meeting)
        meeting.double.keys = [{"kty": "oct", "kid": "one", "alg": "HS256", "k": "c2VjcmV0"}]
        meeting.double.id_token = None
        await refused(meeting)

    @OIDC
    async def test_a_foreign_key_signs_nobody_in_sec_077(self, meet, name):
        meeting = await meet(name)
        meeting.double.signing = rsa_key(1)
        await refused(meeting)

    @OIDC
    @pytest.mark.parametrize("bring", ["jwk", "jku", "x5u", "x5c"])
    async def test_a_key_that_a_token_brings_along_is_not_used_sec_077(self, meet, name, bring):
        meeting = await meet(name)
        meeting.double.signing = rsa_key(1)
        url = f"{meeting.server.url}/foreign"
        meeting.server.paths["/foreign"] = lambda _: Reply({"keys": [jwk_of(rsa_key(1))]})
        value = {"jwk": jwk_of(rsa_key(1)), "x5c": ["MIIB"]}.get(bring, url)
        meeting.double.header |= {bring: value}
        await refused(meeting)
        assert meeting.server.count("/foreign") == 0

    @OIDC
    @pytest.mark.parametrize(
        "header",
        [
            {"crit": ["b64"]},
            {"b64": False},
            {"zip": "DEF"},
            {"typ": "at+jwt"},
            {"typ": 5},
            {"kid": 5},
        ],
    )
    async def test_a_header_that_is_not_understood_refuses_sec_077(self, meet, name, header):
        meeting = await meet(name)
        meeting.double.header |= header
        await refused(meeting)

    @OIDC
    async def test_a_signature_of_another_kind_than_the_key_is_for_is_refused_sec_077(
        self, meet, name
    ):
        meeting = await meet(name)
        meeting.double.keys = [{**meeting.double.keys[0], "alg": "PS256"}]
        await refused(meeting)
        meeting.double.header["alg"] = "ES256"
        meeting.double.signing = ec_key()
        await refused(meeting)

    @OIDC
    @pytest.mark.parametrize(
        "spoil",
        [
            {"use": "enc"},
            {"key_ops": ["encrypt"]},
            {"key_ops": "verify"},
            {"kty": "EC"},
            {"n": 5},
            {"n": "AQAB"},
            {"n": "!!!"},
            {"n": "x" * 5000},
            {"e": None},
            {"e": "AQAB" * 10},
            {"crv": "P-256"},
            {"kid": 5},
        ],
        ids=str,
    )
    async def test_a_key_that_is_none_is_not_used_sec_077_083(self, meet, name, spoil):
        meeting = await meet(name)
        meeting.double.keys = [{**meeting.double.keys[0], **spoil}]
        await refused(meeting)

    @OIDC
    async def test_a_key_of_1024_bits_is_not_used_sec_077(self, meet, name):
        meeting = await meet(name)
        small = rsa_key(9, 1024)
        meeting.double.keys, meeting.double.signing = [jwk_of(small)], small
        await refused(meeting)

    @OIDC
    @pytest.mark.parametrize("keys", [None, {}, "keys", [None, 5, "x", []], [{}] * 101])
    async def test_a_set_of_keys_that_is_none_is_none_sec_083(self, meet, name, keys):
        meeting = await meet(name)
        meeting.double.keys = keys
        with pytest.raises((UserDataUnusable, ProviderUnreachable)):
            await meeting.identify()

    async def test_an_own_provider_may_sign_with_elliptic_curves_sec_077(self, meet):
        meeting = await meet("custom_corp")
        meeting.double.header["alg"], meeting.double.signing = "ES256", ec_key()
        meeting.double.keys = [jwk_of(ec_key())]
        assert (await meeting.identify()).subject == "person-1"
        head = meeting.double.sign().rpartition(".")[0]
        for signature in (b"", b"x", b"x" * 63, b"\x00" * 64, b"x" * 64, b"x" * 500):
            meeting.double.id_token = f"{head}.{base64url.encode(signature)}"
            await refused(meeting)

    @OIDC
    async def test_a_signature_of_any_length_is_refused_and_breaks_nothing_sec_077(
        self, meet, name
    ):
        meeting = await meet(name)
        head = meeting.double.sign().rpartition(".")[0]
        for signature in (b"", b"x", b"\x00" * 256, b"x" * 255, b"x" * 256, b"x" * 2000):
            meeting.double.id_token = f"{head}.{base64url.encode(signature)}"
            await refused(meeting)


class TestKeys:
    @OIDC
    async def test_keys_are_fetched_once_an_hour(self, meet, name, clock):
        meeting = await meet(name)
        for _ in range(3):
            await meeting.connector.identify_by_token(meeting.double.sign(), NONCE)
        assert meeting.server.count("/keys") == 1
        clock.advance(seconds=3600)
        meeting.double.claims["exp"] += 3600
        await meeting.connector.identify_by_token(meeting.double.sign(), NONCE)
        assert meeting.server.count("/keys") == 2

    @OIDC
    async def test_a_new_key_is_found_and_an_old_one_is_forgotten_sec_077(self, meet, name, clock):
        meeting = await meet(name)
        double = meeting.double
        old = double.sign()
        await meeting.identify()
        double.keys = [{**double.keys[0], **jwk_of(rsa_key(1), "two")}]
        double.header["kid"], double.signing = "two", rsa_key(1)
        clock.advance(seconds=60)
        assert (await meeting.identify()).subject == "person-1"
        assert meeting.server.count("/keys") == 2
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(old, NONCE)

    @OIDC
    async def test_unknown_keys_are_asked_for_once_a_minute_sec_083(self, meet, name, clock):
        meeting = await meet(name)
        await meeting.identify()
        meeting.double.header["kid"] = "unknown"
        for _ in range(5):
            await refused(meeting)
        assert meeting.server.count("/keys") == 1
        clock.advance(seconds=60)
        for _ in range(5):
            await refused(meeting)
        assert meeting.server.count("/keys") == 2

    @OIDC
    async def test_among_several_keys_a_token_has_to_name_its_own_sec_077(self, meet, name):
        meeting = await meet(name)
        double = meeting.double
        double.keys = [double.keys[0], jwk_of(rsa_key(1), "two"), jwk_of(ec_key(), "three")]
        assert (await meeting.identify()).subject == "person-1"
        del double.header["kid"]
        await refused(meeting)

    @OIDC
    async def test_one_of_several_keys_without_an_algorithm_is_found_by_its_type(self, meet, name):
        meeting = await meet(name)
        double = meeting.double
        for key in double.keys:
            key.pop("use")
        double.keys.append(jwk_of(ec_key(), "one"))  # the same name, another type
        assert (await meeting.identify()).subject == "person-1"

    @OIDC
    async def test_where_there_is_one_key_a_token_need_not_name_it(self, meet, name):
        meeting = await meet(name)
        del meeting.double.header["kid"]
        assert (await meeting.identify()).subject == "person-1"

    @OIDC
    async def test_two_keys_of_one_name_are_none_sec_077(self, meet, name):
        meeting = await meet(name)
        meeting.double.keys.append(jwk_of(rsa_key(1), "one"))
        await refused(meeting)

    @OIDC
    async def test_who_fails_is_not_asked_again_at_once_sec_083(self, meet, name, clock):
        meeting = await meet(name)
        good = meeting.server.paths["/keys"]
        meeting.server.paths["/keys"] = lambda _: Reply({}, 503)
        pauses = []
        for wait in (0, 0, 1, 0, 2, 0, 4):
            clock.advance(seconds=wait)
            with pytest.raises(ProviderUnreachable):
                await meeting.identify()
            pauses.append(meeting.server.count("/keys"))
        assert pauses == [1, 1, 2, 2, 3, 3, 4]
        meeting.server.paths["/keys"] = good
        clock.advance(seconds=60)
        assert (await meeting.identify()).subject == "person-1"


class TestNativeTokens:
    @OIDC
    async def test_a_hashed_nonce_counts_as_mobile_kits_write_it_sec_076(self, meet, name):
        meeting = await meet(name)
        meeting.double.claims["nonce"] = hashlib.sha256(NONCE.encode()).hexdigest()
        found = await meeting.connector.identify_by_token(meeting.double.sign(), NONCE)
        assert found.subject == "person-1"

    @OIDC
    @pytest.mark.parametrize("nonce", ["", "another", hashlib.sha256(NONCE.encode()).hexdigest()])
    async def test_another_nonce_does_not_sec_076(self, meet, name, nonce):
        meeting = await meet(name)
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(meeting.double.sign(), nonce)
        meeting.double.claims["nonce"] = ""
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(meeting.double.sign(), "")

    @OIDC
    async def test_tokens_of_own_apps_are_taken_and_of_others_not_sec_077(self, meet, name):
        meeting = await meet(name, native_client_ids=["our-app"])
        for audience, party, good in (
            ("our-app", None, True),
            (CLIENT_ID, "our-app", True),
            ("their-app", None, False),
            (CLIENT_ID, "their-app", False),
        ):
            meeting.double.claims |= {"aud": audience, "azp": party}
            if party is None:
                del meeting.double.claims["azp"]
            asking = meeting.connector.identify_by_token(meeting.double.sign(), NONCE)
            if good:
                assert (await asking).subject == "person-1"
            else:
                with pytest.raises(UserDataUnusable):
                    await asking

    @OIDC
    async def test_at_the_callback_the_ids_of_apps_do_not_count_sec_077(self, meet, name):
        meeting = await meet(name, native_client_ids=["our-app"])
        meeting.double.claims["aud"] = "our-app"
        await refused(meeting)

    @OIDC
    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "x" * 20_000,
            "e30.e30.",
            "W10.e30.AA",
            "e30.W10.AA",
            "e30=.e30.AA",
            "\ud800",
        ],
    )
    async def test_what_is_no_token_is_refused(self, meet, name, token):
        meeting = await meet(name)
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(token, NONCE)

    async def test_no_other_spelling_of_a_token_is_read_sec_021(self, meet):
        meeting = await meet("google")
        header, claims, signature = meeting.double.sign().split(".")
        for spelling in (f"{header}.{claims}=.{signature}", f"{header}.{claims}.{signature}="):
            with pytest.raises(UserDataUnusable):
                await meeting.connector.identify_by_token(spelling, NONCE)

    async def test_a_claim_that_stands_twice_is_refused_sec_105(self, meet):
        meeting = await meet("google")
        twice = json.dumps(meeting.double.claims)[:-1] + ', "sub": "another"}'
        parts = [json.dumps(meeting.double.header).encode(), twice.encode()]
        data = ".".join(map(base64url.encode, parts)).encode()
        algorithm = jwt.get_algorithm_by_name("RS256")
        signature = algorithm.sign(data, rsa_key())
        token = f"{data.decode()}.{base64url.encode(signature)}"
        with pytest.raises(UserDataUnusable):
            await meeting.connector.identify_by_token(token, NONCE)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_the_hash_of_an_access_token_is_the_left_half_sec_077(token):
    for algorithm, digest in (
        ("RS256", hashlib.sha256),
        ("ES384", hashlib.sha384),
        ("PS512", hashlib.sha512),
        ("EdDSA", hashlib.sha512),
    ):
        whole = digest(token.encode()).digest()
        expected = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()
        assert half_hash(token, algorithm) == expected
