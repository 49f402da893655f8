"""What secret keys are refused is on record, and being refused fills no table (SEC-118)."""

import json
from datetime import timedelta

import pytest
from faces.clients import Face
from factories import make_key, make_session, make_user

from app.access import SYSTEM, Actor, Origin
from app.persistence import fetch
from app.secretkeys import NewSecretKey, secret

USERS = "{ users { nodes { id } } }"
NEW = {"callback": "https://hooks.example.com/", "events": ["email.send"]}


@pytest.fixture
def face(services) -> Face:
    """The admin listener, as somebody calls it from elsewhere."""
    return Face(services, "admin", peer=("192.0.2.9", 50_000))


async def records() -> list[dict]:
    """The records of refusals."""
    rows = await fetch(
        "SELECT * FROM audit_event WHERE type IN ('secret_key_refused', 'scope_missing') "
        "ORDER BY at, id"
    )
    return [dict(row) | {"details": json.loads(row["details"])} for row in rows]


async def kept(services, ends=None):
    return await services.secret_keys.create(SYSTEM, NewSecretKey("test", ("*",), ends), None)


def wrong(prefix: str) -> str:
    body = f"sk_{prefix}_{secret.generate().text[16:59]}"
    return body + secret._checksum(body)


class TestRefusedKeys:
    async def test_each_way_of_being_refused_is_recorded_with_the_key_it_names(
        self, services, face, clock
    ):
        """SEC-118"""
        live, _ = await kept(services)
        revoked, revoked_text = await kept(services)
        expired, expired_text = await kept(services, clock.now + timedelta(seconds=1))
        await services.secret_keys.revoke(SYSTEM, revoked.id, None)
        clock.advance(seconds=1)
        for text, reason, key_id in (
            (wrong(live.prefix), "wrong", live.id),
            (wrong(revoked.prefix), "wrong", revoked.id),
            (revoked_text, "revoked", revoked.id),
            (expired_text, "expired", expired.id),
            (secret.generate().text, "unknown", None),
            ("sk_x", "malformed", None),
        ):
            clock.advance(minutes=1)
            assert (await face.get("/users", key=text)).status_code == 401
            record = (await records())[-1]
            assert (record["type"], record["details"]) == ("secret_key_refused", {"reason": reason})
            assert (record["actor_kind"], record["actor_id"]) == ("anonymous", None)
            assert (record["subject_id"], record["address"]) == (key_id, "192.0.2.9")
            assert record["request_id"]

    async def test_no_part_of_what_was_shown_is_repeated(self, services, face):
        """SEC-116"""
        unknown = secret.generate()
        await face.gql(USERS, key=unknown.text)
        (record,) = await records()
        assert unknown.prefix not in str(record)
        assert unknown.text[16:30] not in str(record)

    async def test_a_network_leaves_one_a_minute_for_a_key_and_a_few_for_many(
        self, services, clock
    ):
        """SEC-126"""
        refuse = services.secret_keys.authenticate
        for n in range(30):
            await refuse(secret.generate().text, Origin(address=f"2001:db8::{n:x}"))
        assert len(await records()) == 1
        for _ in range(30):
            key, _ = await kept(services)
            for _ in range(2):
                await refuse(wrong(key.prefix), Origin(address="2001:db8::1"))
        assert len(await records()) == 20
        await refuse("sk_x", Origin(address="192.0.2.9"))
        assert len(await records()) == 21
        clock.advance(minutes=1)
        await refuse("sk_x", Origin(address="192.0.2.9"))
        assert len(await records()) == 22

    async def test_a_good_key_leaves_none_and_neither_does_nobody(self, services, face, key):
        assert (await face.get("/users", key=key)).status_code == 200
        assert (await face.get("/users")).status_code == 401
        assert "errors" not in await face.gql(USERS, key=key)
        assert await records() == []


class TestMissingScopes:
    async def test_a_scope_that_is_missing_is_recorded_once_a_minute(self, services, face, clock):
        """SEC-015, SEC-118"""
        text = await make_key(services, "audit:read", "webhooks:write")
        (key,) = await services.secret_keys.list(None)
        for _ in range(3):
            assert (await face.get("/users", key=text)).status_code == 403
            assert (await face.gql(USERS, key=text))["errors"]
            assert (await face.post("/webhooks", NEW, key=text)).status_code == 403
        found = await records()
        assert [one["details"] for one in found] == [
            {"required": ["users:read"]},
            {"required": ["webhooks:write", "sessions:write"]},
        ]
        for one in found:
            assert (one["type"], one["actor_kind"]) == ("scope_missing", "secret_key")
            assert (one["actor_id"], one["subject_id"]) == (key.id, key.id)
            assert one["address"] == "192.0.2.9"
        clock.advance(minutes=1)
        assert (await face.gql(USERS, key=text))["errors"]
        assert len(await records()) == 3

    async def test_graphql_records_it_alike(self, services, face):
        """SEC-015: also where it is what a new key would be allowed."""
        text = await make_key(services, "keys:write")
        document = """mutation { createSecretKey(input: {name: "x", scopes: ["users:read"]}) {
          secret userErrors { code } } }"""
        (error,) = (await face.gql(document, key=text))["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        (record,) = await records()
        assert record["details"] == {"required": ["users:read"]}

    async def test_a_key_leaves_a_few_whatever_it_asks_for(self, services):
        """SEC-126"""
        text = await make_key(services, "keys:write")
        principal = await services.secret_keys.authenticate(text)
        for n in range(60):
            wanted = ("users:read",) * (n + 1)
            await services.secret_keys.refusals.note_scopes(Actor(secret_key=principal), wanted)
        assert len(await records()) == 20

    async def test_who_bears_a_session_and_no_key_leaves_none(self, services, face):
        token = (await make_session(services, await make_user(services))).token
        assert (await face.get("/users", token=token)).status_code == 403
        assert await records() == []
