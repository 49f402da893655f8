"""Keys in AWS KMS: their private half never leaves it."""

import asyncio
import base64
import json
import logging
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from factories import make_key, make_session, make_user
from keys import kms_double
from keys.kms_double import REGION
from keys.lives import configured, look, published, rotated, signer
from traces import Kept

from app.access import SYSTEM
from app.assembly import assemble
from app.keys import kms as module
from app.keys.errors import KmsKeyUnfit, KmsPackageMissing, SignerUnavailable
from app.keys.kms import Kms
from app.persistence import fetch
from app.sessions import SignedIn
from app.telemetry import tracing, work

KINDS = {"ECC_NIST_P256": "ES256", "RSA_2048": "RS256"}


@pytest.fixture(scope="module")
def server():
    with kms_double.running() as double:
        yield double


@pytest.fixture
def kms(server, monkeypatch):
    """The double, told to the process as AWS's own tools are told."""
    for name, value in {
        "AWS_ENDPOINT_URL_KMS": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "_CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(module, "_READ_SECONDS", 0.5)
    server.keys.clear()
    server.asked.clear()
    server.refusal, server.raw, server.silence = None, None, None
    server.altered = {}
    return server


def in_kms(services, key_id="the-key"):
    return configured(services, type="aws_kms", key_id=key_id, region=REGION)


@pytest.fixture
async def held(services, kms):
    """Services whose key is in AWS KMS."""
    await fetch("DELETE FROM signing_key")
    kms.make("the-key")
    moved = in_kms(services)
    await moved.signing_keys.load()
    return moved


class TestSigning:
    @pytest.mark.parametrize("spec", KINDS)
    async def test_a_token_verifies_by_the_published_key(self, services, kms, spec):
        """SEC-019, SEC-033"""
        await fetch("DELETE FROM signing_key")
        arn = kms.make("the-key", spec)
        moved = in_kms(services)
        await moved.signing_keys.load()
        (published_key,) = moved.signing_keys.jwks()["keys"]
        assert published_key["alg"] == KINDS[spec]
        for n in range(5):
            token = await moved.signing_keys.sign({"n": n})
            header = jwt.get_unverified_header(token)
            assert header == {"alg": KINDS[spec], "kid": published_key["kid"], "typ": "JWT"}
            assert moved.signing_keys.verify(token) == {"n": n}
            assert jwt.decode(token, jwt.PyJWK(published_key), [KINDS[spec]]) == {"n": n}
        assert {given["KeyId"] for call, given in kms.asked if call == "Sign"} == {arn}
        assert [call for call, _ in kms.asked].count("GetPublicKey") == 1

    async def test_nothing_private_is_stored(self, held, kms):
        """SEC-119"""
        (row,) = await fetch("SELECT * FROM signing_key")
        assert row["sealed_private_key"] is None
        assert row["kms_key_id"] == kms.keys["the-key"].arn
        assert not json.loads(row["public_jwk"]).keys() & {"d", "p", "q"}
        assert json.loads(row["public_jwk"]) == held.signing_keys.jwks()["keys"][0]

    async def test_a_long_token_is_signed_by_its_digest(self, held, kms):
        token = await held.signing_keys.sign({"a": "x" * 5000})
        assert held.signing_keys.verify(token)["a"]
        assert len(base64.b64decode(kms.asked[-1][1]["Message"])) == 32

    async def test_many_at_once_share_one_client_and_leave_the_loop_alone(self, held, kms):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        tokens = await asyncio.gather(*(held.signing_keys.sign({"n": n}) for n in range(40)))
        ticking.cancel()
        assert [held.signing_keys.verify(token)["n"] for token in tokens] == list(range(40))
        assert list(held.signing_keys.kms._clients) == [REGION]
        assert ticks > 40

    async def test_a_traced_request_shows_the_time_that_it_takes(self, held):
        kept = Kept()
        with tracing(kept.tracer), work("test"):
            token = await held.signing_keys.sign({"a": "x736455918273"})
        assert kept.path(kept.one("KMS Sign")) == ["test", "KMS Sign"]
        for hidden in (token, token.rpartition(".")[2], "736455918273"):
            assert hidden not in kept.text()

    async def test_a_start_asks_nothing_of_it_once_the_key_is_known(self, held, kms):
        kms.asked.clear()
        again = assemble(held.config, clock=held.clock)
        await again.signing_keys.load()
        assert again.signing_keys.jwks() == held.signing_keys.jwks()
        assert kms.asked == []

    async def test_a_session_begins_and_is_read(self, held):
        issued = await make_session(held, await make_user(held))
        assert isinstance(await held.sessions.authenticate(issued.token), SignedIn)


class TestMovingOver:
    async def test_from_here_to_there_to_another_key_and_back_without_a_gap(
        self, services, kms, clock
    ):
        """SEC-033"""
        kms.make("alias/one")
        kms.make("the-other", "RSA_2048")
        there, other = in_kms(services, "alias/one"), in_kms(services, "the-other")
        tokens = [await services.signing_keys.sign({"n": 0})]
        for n, now in enumerate((there, other, configured(services)), start=1):
            await now.signing_keys.load()
            assert await signer(now) == published(services)[0]
            following = await rotated(now, clock)
            assert await signer(now) == str(following.kid)
            tokens.append(await now.signing_keys.sign({"n": n}))
            await look(services)
            for one in (now, services):
                assert [one.signing_keys.verify(t)["n"] for t in tokens] == list(range(n + 1))
        assert [key["alg"] for key in services.signing_keys.jwks()["keys"]] == [
            "ES256",
            "RS256",
            "ES256",
            "ES256",
        ]

    async def test_one_gets_away_from_it_while_it_does_not_answer(self, held, kms, clock):
        token = await held.signing_keys.sign({"a": 1})
        kms.refusal = (500, "KMSInternalException")
        local = configured(held)
        await local.signing_keys.load()
        clock.advance(seconds=1)
        following = await local.signing_keys.rotate(SYSTEM, now=True)
        assert await signer(local) == str(following.kid)
        assert local.signing_keys.verify(token) == {"a": 1}

    async def test_an_alias_that_comes_to_mean_another_key_changes_nothing_until_a_rotation(
        self, services, kms, clock
    ):
        await fetch("DELETE FROM signing_key")
        first = kms.make("alias/one")
        moved = in_kms(services, "alias/one")
        await moved.signing_keys.load()
        second = kms.make("alias/one")
        assert moved.signing_keys.verify(await moved.signing_keys.sign({"a": 1})) == {"a": 1}
        assert kms.asked[-1][1]["KeyId"] == first
        await rotated(moved, clock)
        await moved.signing_keys.sign({"a": 1})
        assert kms.asked[-1][1]["KeyId"] == second

    @pytest.mark.parametrize(
        ("key_id", "warns"), [("the-key", True), ("number", False), ("arn", False)]
    )
    async def test_a_start_says_so_where_another_key_is_configured(
        self, held, kms, caplog, key_id, warns
    ):
        caplog.set_level("WARNING")
        arn = kms.keys["the-key"].arn
        named = {"number": arn.rpartition("/")[2], "arn": arn}.get(key_id, key_id)
        await in_kms(held, named).signing_keys.load()
        said = [one for one in caplog.records if "sekisho jwk rotate" in one.getMessage()]
        assert bool(said) is warns

    def test_of_an_alias_nobody_here_can_say_what_it_means(self):
        arn = f"arn:aws:kms:{REGION}:111122223333:key/1"
        alias = f"arn:aws:kms:{REGION}:111122223333:alias/one"
        assert module.names("alias/one", arn)
        assert module.names(alias, arn)
        assert not module.names("2", arn)


class TestUnfitKeys:
    @pytest.mark.parametrize(
        ("spec", "usage"),
        [
            ("ECC_NIST_P384", "SIGN_VERIFY"),
            ("ECC_SECG_P256K1", "SIGN_VERIFY"),
            ("ECC_NIST_P256", "KEY_AGREEMENT"),
            ("RSA_2048", "ENCRYPT_DECRYPT"),
        ],
    )
    async def test_it_is_refused_and_nothing_changes(self, services, kms, spec, usage):
        kms.make("the-key", spec, usage)
        before = published(services)
        moved = in_kms(services)
        await moved.signing_keys.load()
        for change in (moved.signing_keys.rotate, moved.signing_keys.create):
            with pytest.raises(KmsKeyUnfit, match="ECC_NIST_P256"):
                await change(SYSTEM)
        assert published(moved) == before

    async def test_a_first_start_is_refused(self, services, kms):
        await fetch("DELETE FROM signing_key")
        kms.make("the-key", "ECC_NIST_P384")
        with pytest.raises(KmsKeyUnfit):
            await in_kms(services).signing_keys.load()
        assert await fetch("SELECT id FROM signing_key") == []


def in_place_of_both(answer: bytes) -> dict[str, str]:
    """Answers each question with the same bytes."""
    text = base64.b64encode(answer).decode()
    return {"Signature": text, "PublicKey": text}


P384 = kms_double.HeldKey("", "", "", kms_double.SPECS["ECC_NIST_P384"]())
FAILURES = {
    "denied": {"refusal": (400, "AccessDeniedException")},
    "disabled": {"refusal": (400, "DisabledException")},
    "throttled": {"refusal": (400, "ThrottlingException")},
    "down": {"refusal": (500, "KMSInternalException")},
    "silent": {"silence": threading.Event()},
    "no JSON": {"raw": b"<html>busy</html>"},
    "no object": {"raw": b"[1]"},
    "empty": {"raw": b"{}"},
    "no base64": {"altered": {"Signature": "*", "PublicKey": "*"}},
    "no DER": {"altered": in_place_of_both(b"no DER")},
    "numbers too great": {"altered": in_place_of_both(encode_dss_signature(1 << 300, 1))},
    "another signature": {"altered": in_place_of_both(encode_dss_signature(1, 1))},
    "another kind of key": {"altered": in_place_of_both(P384.public)},
}


class TestFailures:
    @pytest.mark.one_database
    @pytest.mark.parametrize("how", FAILURES)
    async def test_no_token_comes_of_it_and_nothing_of_aws_is_told(
        self, held, kms, caplog, how, public
    ):
        """SEC-130"""
        token = await held.signing_keys.sign({"a": 1})
        caplog.set_level(logging.ERROR, "sekisho.keys")
        vars(kms).update(FAILURES[how])
        for attempt in (
            held.signing_keys.sign({"a": 2}),
            held.signing_keys.rotate(SYSTEM),
        ):
            with pytest.raises(SignerUnavailable) as refused:
                await attempt
            assert str(refused.value) == SignerUnavailable.message
        logged = [record for record in caplog.records if record.name == "sekisho.keys"]
        assert len(logged) == 2
        assert "111122223333" not in str([vars(record) for record in logged])
        assert held.signing_keys.verify(token) == {"a": 1}  # that needs nobody
        assert len(await fetch("SELECT id FROM signing_key")) == 1

    @pytest.mark.one_database
    async def test_an_arn_that_is_none_is_refused(self, services, kms):
        await fetch("DELETE FROM signing_key")
        kms.make("the-key")
        for arn in ("the-key", "arn:aws:s3:::bucket", "arn:aws:kms:eu-central-1:1:alias/x", ""):
            kms.altered = {"KeyId": arn}
            with pytest.raises(SignerUnavailable):
                await in_kms(services).signing_keys.load()
        assert await fetch("SELECT id FROM signing_key") == []

    @pytest.mark.one_database
    async def test_who_is_not_there_is_waited_for_no_longer_than_said(self, held, kms, monkeypatch):
        kms.silence = threading.Event()
        began = time.monotonic()
        with pytest.raises(SignerUnavailable):
            await held.signing_keys.sign({})
        assert 0.5 <= time.monotonic() - began < 10

    @pytest.mark.one_database
    async def test_without_credentials_it_is_not_available(self, held, kms, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        again = assemble(held.config, clock=held.clock)
        await again.signing_keys.load()
        with pytest.raises(SignerUnavailable):
            await again.signing_keys.sign({})

    @pytest.mark.one_database
    async def test_a_caller_is_told_that_it_is_unavailable_and_no_more(self, held, kms, admin):
        """SEC-117"""
        key, user = await make_key(held), await make_user(held)
        face = type(admin)(held, "admin")
        kms.refusal = (400, "AccessDeniedException")
        for document in (
            f'mutation {{ createUserSession(userId: "{user.id}") {{ token }} }}',
            "mutation { rotateSigningKey { signingKey { kid } } }",
        ):
            answer = await face.gql(document, key=key)
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "UNAVAILABLE"
            assert not {"AccessDenied", "arn:", "111122223333"} & set(json.dumps(answer).split())
            assert "AccessDenied" not in json.dumps(answer)

    @pytest.mark.one_database
    async def test_without_the_package_the_start_is_refused_in_one_sentence(
        self, services, held, monkeypatch
    ):
        real = module.importlib.util.find_spec
        monkeypatch.setattr(
            module.importlib.util, "find_spec", lambda name: None if name == "boto3" else real(name)
        )
        for one in (in_kms(services), configured(services)):  # configured so, or merely still used
            with pytest.raises(KmsPackageMissing, match=r"sekisho\[aws\]"):
                await one.signing_keys.load()
        with pytest.raises(KmsPackageMissing):
            await Kms().find("kid", "the-key", REGION)
