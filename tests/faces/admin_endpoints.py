"""What holds for every endpoint of the admin REST API, and what tests of them ask."""

import json
from typing import Any, NamedTuple

import httpx
from faces.clients import Face
from factories import NOBODYS_ID, make_key, make_session, make_user
from hypothesis import strategies as st

from app.access import SCOPES
from app.assembly import Services
from app.persistence import fetch

ODD = [
    "\0",
    "\ud800",
    "\u202e",
    "' OR 1=1 --",
    "%",
    "_",
    "!",
    "a" * 3000,
    "é" * 300,
    NOBODYS_ID,
    "",
]
texts = st.text(st.characters(), max_size=20) | st.sampled_from(ODD)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)


def bodies(*names: str) -> st.SearchStrategy[Any]:
    """Bodies that anybody may send where an endpoint knows some names."""
    return _values | st.dictionaries(st.sampled_from(names), _values, max_size=len(names))


class Endpoint(NamedTuple):
    """An endpoint: its method, a path of it, what scope it needs, and a body that it takes."""

    method: str
    path: str
    scope: str
    body: object = ...


def refused(answer: httpx.Response, status: int, code: str, *path: str) -> bool:
    """Check the one shape of a refusal."""
    body = answer.json()
    assert answer.status_code == status, body
    assert body["code"] == status
    assert body["message"] == body["error"]["message"]
    assert body["error"]["code"] == code, body
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    assert body["error"].get("path", []) == list(path)
    return True


def is_whole(answer: httpx.Response) -> bool:
    """Nothing has broken, and no word comes from inside (SEC-097)."""
    assert answer.status_code < 500, answer.text
    assert not [word for word in ("Traceback", "sqlite3", "asyncpg") if word in answer.text]
    return True


async def opens_for_its_scope_alone(services: Services, admin: Face, one: Endpoint) -> None:
    """No key, a session, and a key with every scope but the one get nothing (SEC-012, 015, 016)."""

    async def call(**bearing: Any) -> httpx.Response:
        return await admin.call(one.method, one.path, one.body, **bearing)

    token = (await make_session(services, await make_user(services))).token
    narrow = await make_key(services, *(set(SCOPES) - {one.scope}))
    before = await changes()
    assert refused(await call(), 401, "unauthenticated")
    assert refused(await call(key="sk_no_such_key"), 401, "unauthenticated")
    for bearing in ({"token": token}, {"cookie": token}, {"key": narrow}):
        assert refused(await call(**bearing), 403, "forbidden")
    assert await changes() == before
    answer = await call(key=await make_key(services, one.scope))
    assert answer.status_code not in (401, 403)


async def is_not_on_the_public_listener(public: Face, key: str, one: Endpoint) -> None:
    """No spelling of the path leads there (SEC-108)."""
    before = await changes()
    for path in (one.path, f"{one.path}/", one.path.upper(), one.path.replace("s", "%73")):
        answer = await public.call(one.method, path, one.body, key=key)
        assert answer.status_code in (404, 405), path
    assert await changes() == before


async def records(kind: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    """The audit records but those of keys: type, kind of actor, details."""
    rows = await fetch("SELECT type, actor_kind, details FROM audit_event ORDER BY at, id")
    found = [(row["type"], row["actor_kind"], json.loads(row["details"])) for row in rows]
    return [one for one in found if kind is None or one[0] == kind]


async def told() -> list[str]:
    """The names of the events that webhooks are told of."""
    rows = await fetch("SELECT name FROM webhook_event ORDER BY sequence")
    return [row["name"] for row in rows]


async def mailed() -> list[tuple[str, str]]:
    """The mails that wait: template and address."""
    rows = await fetch("SELECT template, recipient FROM mail_outbox")
    return [(row["template"], row["recipient"]) for row in rows]


async def changes() -> int:
    """How many changes have left a record, but for what makes keys and sessions for a test."""
    (row,) = await fetch(
        "SELECT COUNT(*) AS n FROM audit_event WHERE actor_kind <> 'system' "
        "AND type NOT IN ('secret_key_refused', 'scope_missing')"
    )
    return int(row["n"])
