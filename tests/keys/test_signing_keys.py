"""Signing keys: made once, sealed, published, used."""

import asyncio
import json
import time
from uuid import UUID

import jwt
import pytest
from databases import Fresh, environment_of, visiting
from keys.lives import configured, events, look, published, rotated, signer
from msgspec.structs import replace

from app.access import SYSTEM
from app.assembly import assemble
from app.config import Config, Secret
from app.keys import KeysUnreadable, TokenInvalid, encryption_secrets, pairs
from app.keys.sealing import Sealer
from app.keys.tables import SigningKeyRow
from app.persistence import fetch

ALGORITHMS = ("ES256", "RS256", "EdDSA")
NEW = "a-new-secret-of-mine"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
async def keyless(services):
    await fetch("DELETE FROM signing_key")
    return services


class TestPairs:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_pair_is_read_back_from_what_was_written(self, algorithm):
        made = pairs.generate("kid-1", algorithm)
        again = pairs.read("kid-1", algorithm, pairs.private_jwk(made))
        assert pairs.public_jwk(again) == pairs.public_jwk(made)
        token = jwt.encode({"a": 1}, made.private, algorithm)
        assert jwt.decode(token, again.public, [algorithm]) == {"a": 1}

    @pytest.mark.parametrize(
        ("algorithm", "members"),
        [
            ("ES256", {"kty": "EC", "crv": "P-256"}),
            ("RS256", {"kty": "RSA", "e": "AQAB"}),
            ("EdDSA", {"kty": "OKP", "crv": "Ed25519"}),
        ],
    )
    def test_the_public_half_holds_public_members_and_nothing_more(self, algorithm, members):
        """SEC-033"""
        made = pairs.generate("kid-1", algorithm)
        public = pairs.public_jwk(made)
        assert public.items() >= members.items()
        assert (public["kid"], public["alg"], public["use"]) == ("kid-1", algorithm, "sig")
        assert not public.keys() & PRIVATE_MEMBERS
        private = json.loads(pairs.private_jwk(made))
        assert not {private[name] for name in private.keys() & PRIVATE_MEMBERS} & set(
            public.values()
        )

    def test_an_rsa_key_is_long_enough(self):
        assert pairs.generate("k", "RS256").private.key_size >= 3072


class TestLoad:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_the_first_start_makes_a_key_of_the_configured_algorithm(
        self, keyless, algorithm
    ):
        services = configured(keyless, algorithm=algorithm)
        await services.signing_keys.load()
        (published,) = services.signing_keys.jwks()["keys"]
        assert published["alg"] == algorithm
        assert UUID(published["kid"]).version == 7
        token = await services.signing_keys.sign({"a": 1})
        assert jwt.get_unverified_header(token) == {
            "alg": algorithm,
            "kid": published["kid"],
            "typ": "JWT",
        }
        assert services.signing_keys.verify(token) == {"a": 1}
        assert jwt.decode(token, jwt.PyJWK(published).key, [algorithm]) == {"a": 1}

    async def test_a_later_start_keeps_the_key_whatever_algorithm_is_configured_now(self, services):
        again = configured(services, algorithm="EdDSA")
        await again.signing_keys.load()
        assert again.signing_keys.jwks() == services.signing_keys.jwks()
        assert again.signing_keys.verify(await services.signing_keys.sign({"a": 1})) == {"a": 1}

    async def test_services_that_start_together_make_one_key(self, keyless):
        started = [assemble(keyless.config, clock=keyless.clock) for _ in range(5)]
        await asyncio.gather(*(one.signing_keys.load() for one in started))
        assert len(await fetch("SELECT id FROM signing_key")) == 1
        assert len({str(one.signing_keys.jwks()) for one in started}) == 1
        rows = await fetch("SELECT * FROM audit_event WHERE type = 'signing_key_created'")
        assert len(rows) == 2  # the one of the fixture, and this one

    async def test_processes_that_start_together_make_one_key(self, keyless, processes):
        environment = environment_of(keyless.config)
        try:
            await asyncio.gather(*(p.ask("begin", environment=environment) for p in processes))
            kids = await asyncio.gather(*(process.ask("kids") for process in processes))
        finally:
            await asyncio.gather(*(process.ask("finish") for process in processes))
        assert len(kids[0]) == 1
        assert all(one == kids[0] for one in kids)
        assert len(await fetch("SELECT id FROM signing_key")) == 1

    async def test_the_private_half_is_stored_under_seal_alone(self, services):
        """SEC-017, SEC-119"""
        (row,) = await fetch("SELECT * FROM signing_key")
        private = json.loads(
            services.signing_keys.sealer.open(row["sealed_private_key"], f"signing_key:{row['id']}")
        )
        dump = str([dict(one) for one in await fetch("SELECT * FROM signing_key")])
        dump += str([dict(one) for one in await fetch("SELECT * FROM audit_event")])
        assert private["d"] not in dump
        assert json.loads(row["public_jwk"]) == services.signing_keys.jwks()["keys"][0]

    async def test_a_sealed_key_that_was_moved_to_another_row_does_not_open(self, services):
        """SEC-119"""
        (row,) = await fetch("SELECT id FROM signing_key")
        await fetch("UPDATE signing_key SET id = $1", UUID(int=row["id"].int ^ 1))
        again = assemble(services.config, clock=services.clock)
        with pytest.raises(KeysUnreadable):
            await again.signing_keys.load()

    async def test_start_up_is_refused_with_a_secret_that_opens_no_row(self, fresh: Fresh):
        """SEC-120"""
        first = await fresh(SECRET_KEYS="the-first-secret-of-all")
        async with visiting(first):
            services = assemble(first)
            await services.migrations.up()
            await services.signing_keys.load()
            wrong = assemble(_with_secrets(first, "another-secret-altogether"))
            with pytest.raises(KeysUnreadable):
                await wrong.signing_keys.load()
            assert len(await fetch("SELECT id FROM signing_key")) == 1
            rotated = assemble(
                _with_secrets(first, "another-secret-altogether", "the-first-secret-of-all")
            )
            await rotated.signing_keys.load()
            assert rotated.signing_keys.jwks() == services.signing_keys.jwks()


class TestSecondSecret:
    """Secrets are changed by adding the new one, and then by taking the old one out (SEC-120)."""

    async def test_the_first_secret_seals_anew_what_another_has_sealed(self, services, clock):
        """SEC-119, SEC-120"""
        old = encryption_secrets(services.config)
        token = await services.signing_keys.sign({"a": 1})
        await rotated(services, clock)
        before = services.signing_keys.jwks()
        second = assemble(_with_secrets(services.config, *old, NEW), clock=clock)
        await second.signing_keys.load()
        assert "signing_keys_resealed" not in await events()
        first = assemble(_with_secrets(services.config, NEW, *old), clock=clock)
        await first.signing_keys.load()
        (record,) = await fetch("SELECT * FROM audit_event WHERE type = 'signing_keys_resealed'")
        assert json.loads(record["details"]) == {"count": 2}
        alone = assemble(_with_secrets(services.config, NEW), clock=clock)
        await alone.signing_keys.load()
        assert alone.signing_keys.jwks() == before
        assert alone.signing_keys.verify(token) == {"a": 1}
        assert (await events()).count("signing_keys_resealed") == 1
        for row in await fetch("SELECT * FROM signing_key"):
            place = f"signing_key:{row['id']}"
            assert json.loads(Sealer([NEW]).open(row["sealed_private_key"], place))["d"]
        without = assemble(_with_secrets(services.config, *old), clock=clock)
        with pytest.raises(KeysUnreadable):
            await without.signing_keys.load()

    async def test_a_replica_that_has_not_heard_of_it_goes_on(self, services, clock, caplog):
        """SEC-120: it signs with what it has opened, and verifies with the rest; it says so."""
        old = encryption_secrets(services.config)
        first = assemble(_with_secrets(services.config, NEW, *old), clock=clock)
        await first.signing_keys.load()
        (kid,) = published(services)
        await look(services)
        assert await signer(services) == kid
        clock.advance(seconds=1)
        made = await first.signing_keys.rotate(SYSTEM, now=True)
        caplog.set_level("ERROR")
        for _ in range(3):
            await look(services)
        assert published(services) == published(first) == [str(made.kid), kid]
        assert services.signing_keys.verify(await first.signing_keys.sign({"b": 2})) == {"b": 2}
        assert await signer(services) == kid
        assert first.signing_keys.verify(await services.signing_keys.sign({"a": 1})) == {"a": 1}
        (said,) = caplog.records
        assert (said.kid, said.code) == (made.kid, "keys_unreadable")

    async def test_what_cannot_be_opened_is_not_sealed_anew(self, services, clock):
        """SEC-120"""
        before = await fetch("SELECT * FROM signing_key")
        with pytest.raises(KeysUnreadable):
            await assemble(_with_secrets(services.config, NEW)).signing_keys.load()
        assert await fetch("SELECT * FROM signing_key") == before


class TestUse:
    async def test_an_older_key_still_verifies_and_is_still_published(self, services, clock):
        """SEC-033"""
        old = await services.signing_keys.sign({"a": 1})
        await rotated(services, clock)
        again = assemble(services.config, clock=clock)
        await again.signing_keys.load()
        newest, oldest = again.signing_keys.jwks()["keys"]
        assert oldest["kid"] == jwt.get_unverified_header(old)["kid"]
        assert again.signing_keys.verify(old) == {"a": 1}
        assert await signer(again) == newest["kid"]

    async def test_a_key_that_another_replica_has_made_is_found(self, services, clock):
        """SEC-033"""
        other = assemble(services.config, clock=clock)
        await other.signing_keys.load()
        clock.advance(seconds=1)
        await other.signing_keys.rotate(SYSTEM, now=True)
        token = await other.signing_keys.sign({"a": 1})
        before = services.signing_keys.generation
        with pytest.raises(TokenInvalid):
            services.signing_keys.verify(token)
        await look(services)
        assert services.signing_keys.verify(token) == {"a": 1}
        assert services.signing_keys.generation == before + 1

    async def test_unknown_keys_are_looked_for_at_most_once_a_second(self, services, clock):
        """SEC-020: a stream of forged key ids is no stream of statements."""
        other = assemble(services.config, clock=clock)
        await other.signing_keys.load()
        clock.advance(seconds=1)
        await other.signing_keys.rotate(SYSTEM, now=True)
        token = await other.signing_keys.sign({})
        services.signing_keys.reader.ring.read_at = time.monotonic() + 60
        await services.signing_keys.refresh()
        with pytest.raises(TokenInvalid):
            services.signing_keys.verify(token)

    async def test_nothing_is_signed_before_the_keys_are_read(self, services):
        fresh_services = assemble(services.config)
        with pytest.raises(RuntimeError):
            await fresh_services.signing_keys.sign({})
        assert fresh_services.signing_keys.jwks() == {"keys": []}

    async def test_a_token_of_another_kind_is_refused(self, services):
        """SEC-023"""
        keys = services.signing_keys
        for typ in ("JWT", "webhook+jwt", "at+jwt"):
            token = await keys.sign({"a": 1}, typ=typ)
            assert keys.verify(token, typ=typ) == {"a": 1}
            for other in {"JWT", "webhook+jwt", "at+jwt", "jwt", ""} - {typ}:
                with pytest.raises(TokenInvalid):
                    keys.verify(token, typ=other)

    async def test_the_public_set_never_holds_a_private_member(self, keyless, clock):
        """SEC-033"""
        for algorithm in ALGORITHMS:
            last = configured(keyless, algorithm=algorithm)
            await last.signing_keys.load()
            clock.advance(seconds=1)
            await last.signing_keys.rotate(SYSTEM, now=True)
        published = last.signing_keys.jwks()["keys"]
        assert {key["alg"] for key in published} == set(ALGORITHMS)
        for key in published:
            assert not key.keys() & PRIVATE_MEMBERS
            assert {"kid", "alg", "use", "kty"} <= key.keys()


async def test_the_table_is_read_as_it_was_written(services):
    (row,) = await SigningKeyRow.select()
    now = services.clock()
    assert (row["algorithm"], row["created_at"], row["activates_at"]) == ("ES256", now, now)
    assert (row["published_until"], row["kms_key_id"]) == (None, None)
    (event,) = await fetch("SELECT * FROM audit_event WHERE type = 'signing_key_created'")
    assert (event["actor_kind"], event["actor_id"]) == ("system", None)
    assert json.loads(event["details"]) == {"kid": str(row["id"]), "algorithm": "ES256"}


def _with_secrets(config: Config, *secrets: str) -> Config:
    return replace(config, secret_keys=[Secret(one) for one in secrets])
