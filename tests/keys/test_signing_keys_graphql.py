"""Signing keys over GraphQL, and the JWKS over HTTP."""

import json

import pytest
from factories import key_actor, make_key
from keys.lives import published

from app.persistence import DatabaseUnavailable, fetch

KEYS = "{ signingKeys { kid algorithm state createdAt activatesAt publishedUntil } }"
ROTATE = """mutation ($now: Boolean! = false) { rotateSigningKey(input: {now: $now}) {
  signingKey { kid state activatesAt } userErrors { code message path } } }"""
JWKS = "/.well-known/jwks.json"


@pytest.fixture(params=["public", "admin"])
def face(request):
    return request.getfixturevalue(request.param)


async def rotate(face, key, **variables):
    answer = await face.gql(ROTATE, variables, key=key)
    assert "errors" not in answer
    return answer["data"]["rotateSigningKey"]


async def test_a_rotation_is_seen_in_the_list_and_in_the_jwks(services, face, key, clock):
    """SEC-033"""
    (old,) = published(services)
    clock.advance(seconds=1)
    payload = await rotate(face, key)
    assert payload["userErrors"] == []
    following = payload["signingKey"]
    assert following["state"] == "NEXT"
    newest, oldest = (await face.gql(KEYS, key=key))["data"]["signingKeys"]
    assert (newest["kid"], newest["state"]) == (following["kid"], "NEXT")
    assert newest["activatesAt"] == following["activatesAt"]
    assert (oldest["kid"], oldest["state"]) == (old, "ACTIVE")
    assert oldest["publishedUntil"] > newest["activatesAt"]
    assert published(services) == [newest["kid"], old]
    (row,) = await fetch("SELECT * FROM audit_event WHERE type = 'signing_key_rotated'")
    assert row["actor_kind"] == "secret_key"


async def test_a_second_rotation_is_refused_unless_now(services, face, key, clock):
    clock.advance(seconds=1)
    first = await rotate(face, key)
    refused = await rotate(face, key)
    assert refused["signingKey"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["path"]) == ("SIGNING_KEY_PENDING", [])
    clock.advance(seconds=1)
    forward = await rotate(face, key, now=True)
    assert forward["signingKey"]["kid"] == first["signingKey"]["kid"]
    assert forward["signingKey"]["state"] == "ACTIVE"
    states = [one["state"] for one in (await face.gql(KEYS, key=key))["data"]["signingKeys"]]
    assert states == ["ACTIVE", "RETIRED"]


async def test_only_a_key_with_the_scope_may(services, face):
    """SEC-015"""
    reading, writing = await make_key(services, "keys:read"), await make_key(services, "keys:write")
    for document, key in ((ROTATE, reading), (KEYS, writing), (KEYS, None), (ROTATE, None)):
        answer = await face.gql(document, key=key) if key else await face.gql(document)
        code = answer["errors"][0]["extensions"]["code"]
        assert code == ("FORBIDDEN" if key else "UNAUTHENTICATED")
    assert len(published(services)) == 1


async def test_the_actor_of_the_record_is_who_asked(services, clock):
    actor = await key_actor(services, "keys:write")
    clock.advance(seconds=1)
    await services.signing_keys.rotate(actor)
    rows = await fetch("SELECT actor_id FROM audit_event WHERE actor_kind = 'secret_key'")
    assert {row["actor_id"] for row in rows} == {actor.secret_key.id}


class TestJwks:
    async def test_next_active_and_retired_keys_are_published_and_the_etag_tells_of_a_change(
        self, services, public, clock
    ):
        """SEC-033"""
        before = await public.get(JWKS)
        services.signing_keys.reader.ring.read_at -= 1
        same = await public.get(JWKS, headers={"if-none-match": before.headers["etag"]})
        assert same.status_code == 304
        clock.advance(seconds=1)
        await services.signing_keys.rotate(await key_actor(services, "keys:write"), now=True)
        clock.advance(seconds=1)
        await services.signing_keys.create(await key_actor(services, "keys:write"))
        after = await public.get(JWKS, headers={"if-none-match": before.headers["etag"]})
        assert after.status_code == 200
        states = [key.state for key in await services.signing_keys.list()]
        assert states == ["next", "active", "retired"]
        assert [key["kid"] for key in after.json()["keys"]] == published(services)
        for key in after.json()["keys"]:
            assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert set(after.headers["cache-control"].split(", ")) == {"public", "max-age=600"}

    async def test_a_request_finds_what_another_replica_has_changed(self, services, public):
        """SEC-033"""
        before = (await public.get(JWKS)).json()
        await fetch("DELETE FROM signing_key")
        services.signing_keys.reader.ring.read_at -= 1
        assert (await public.get(JWKS)).json() == {"keys": []}
        assert before["keys"]


@pytest.mark.one_database
async def test_the_keys_last_known_are_published_while_the_database_is_away(
    services, public, monkeypatch
):
    """SEC-130"""
    before = (await public.get(JWKS)).content

    async def away(*_):
        raise DatabaseUnavailable

    monkeypatch.setattr("app.keys.rows.fetch", away)
    services.signing_keys.reader.ring.read_at -= 1
    answer = await public.get(JWKS)
    assert (answer.status_code, answer.content) == (200, before)
    assert json.loads(before)["keys"]
