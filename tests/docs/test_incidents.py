"""The recipes of docs/incidents.md, walked as they are written."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from docs.recipes import DOCS, blocks, commands, section
from factories import make_user
from processes import servers
from processes.servers import Server, ask, until

from app.access import SYSTEM
from app.assembly import Services
from app.metadata import BagChanges
from app.persistence import DatabaseUnavailable, database, fetch_row
from app.persistence.database import SQLITE_FILE

PAGE = "incidents.md"
SOON = 10.0
"""Seconds in which a server must know of a change: one, and what a busy machine takes."""

ME = "{ me { id } }"
CREATE_USER = """mutation ($address: String!) {
  createUser(input: {emails: [{address: $address, isVerified: true}]}) {
    user { id } userErrors { code } } }"""
CREATE_SESSION = """mutation ($user: ID!) {
  createUserSession(userId: $user) { token userErrors { code } } }"""
CREATE_WEBHOOK = """mutation {
  createWebhook(input: {callback: "https://backend.example.com/hooks", events: ["user"]}) {
    webhook { id } secret userErrors { code } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = servers.start(tmp_path_factory.mktemp("incidents"))
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


@pytest.fixture
def user(server: Server) -> str:
    address = f"ada-{uuid4().hex}@example.com"
    created: str = done(server, CREATE_USER, address=address)["user"]["id"]
    return created


def done(server: Server, query: str, **variables: Any) -> Any:
    """Do what the only field of a mutation says."""
    body = ask(server.url, query, server.secret_key, **variables)
    assert "errors" not in body, body
    (payload,) = body["data"].values()
    assert payload["userErrors"] == []
    return payload


def sign_in(server: Server, user: str) -> str:
    token: str = done(server, CREATE_SESSION, user=user)["token"]
    return token


def is_signed_in(server: Server, token: str) -> bool:
    return ask(server.url, ME, token)["data"]["me"] is not None


def operate(server: Server, *words: str) -> Any:
    """Type a command beside the server and give what it prints as JSON."""
    ran = servers.run(server.folder, *words, "--json", **server.environment)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_every_recipe_is_on_the_list_at_the_top():
    text = (DOCS / PAGE).read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    table = text.partition("\n## ")[0]
    linked = re.findall(r"\]\(#([^)]+)\)", table)
    assert sorted(linked) == sorted(
        re.sub(r"[^\w ]", "", h).lower().replace(" ", "-") for h in headings
    )
    for heading in headings:
        assert (
            "**You:**" in section(PAGE, heading)
            or "has leaked" in heading
            or "taken over" in heading
        )


def test_a_leaked_secret_key_is_refused_at_the_next_request_and_what_it_did_is_told_sec_014(server):
    text = section(PAGE, "A secret key has leaked")
    create, list_, revoke = commands(text)
    leaked = operate(server, "key", "create", "--name", "leaked", "--scope", "users:write")
    made = ask(server.url, CREATE_USER, leaked["secret"], address="eve@example.com")
    user = made["data"]["createUser"]["user"]["id"]

    spare = operate(server, *create)
    assert leaked["id"] in {key["id"] for key in operate(server, *list_)}
    operate(server, *revoke[:-1], leaked["id"])
    for url in (server.url, server.admin_url):
        again = ask(url, CREATE_USER, leaked["secret"], address="mallory@example.com")
        assert [one["extensions"]["code"] for one in again["errors"]] == ["UNAUTHENTICATED"]
    endpoint = f"{server.url}/api/server/v1/users/{user}"
    for secret, status in ((leaked["secret"], 401), (spare["secret"], 200)):
        headers = {"authorization": f"Bearer {secret}"}
        assert httpx.get(endpoint, headers=headers).status_code == status

    (query,) = blocks(text, "graphql")
    log = ask(server.url, query, server.secret_key, key=leaked["id"])["data"]["auditLog"]
    assert [(one["type"], one["subjectId"]) for one in log["nodes"]] == [("user_created", user)]


def test_a_leaked_signing_key_signs_nobody_in_any_longer_sec_033(server, user):
    list_, retire = commands(section(PAGE, "A signing key has leaked"))
    token = sign_in(server, user)
    assert is_signed_in(server, token)
    (leaked,) = [key["kid"] for key in operate(server, *list_) if key["state"] == "active"]
    assert retire[-1] == "--force"
    operate(server, *retire[:2], leaked, "--force")
    until(lambda: not is_signed_in(server, token), SOON)
    published = httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]
    assert leaked not in {key["kid"] for key in published}
    assert is_signed_in(server, sign_in(server, user))


def test_a_leaked_encryption_secret_is_replaced_and_nobody_signed_out_sec_119(start_server):
    text = section(PAGE, "The encryption secret has leaked")
    assert "put the new secret before the old one" in text
    leaked, new = "the-secret-that-leaked", "the-secret-that-nobody-knows"
    server = start_server(SECRET_KEYS=leaked)
    created = done(server, CREATE_USER, address="ada@example.com")
    token = sign_in(server, created["user"]["id"])
    for secrets in (f"{new},{leaked}", new):
        server.stop()
        server = start_server(SECRET_KEYS=secrets)
        assert is_signed_in(server, token)
        done(server, CREATE_SESSION, user=created["user"]["id"])  # the secret key is good, too
    server.stop()
    assert "signing_keys_resealed" in server.output
    with pytest.raises(RuntimeError, match="No configured encryption secret opens the stored keys"):
        start_server(SECRET_KEYS=leaked)


def test_a_webhook_that_was_disabled_is_enabled_again(server):
    made = done(server, CREATE_WEBHOOK)["webhook"]["id"]
    (enable,) = blocks(section(PAGE, "A webhook's receiver is down"), "graphql")
    assert done(server, enable, id=made)["webhook"] == {"id": made}


def test_a_leaked_secret_of_a_webhook_signs_nothing_any_longer(server):
    made = done(server, CREATE_WEBHOOK)
    (rotate,) = blocks(section(PAGE, "A webhook's secret has leaked"), "graphql")
    rotated = done(server, rotate, id=made["webhook"]["id"])
    assert rotated["secret"] not in (None, made["secret"])


def test_an_account_that_was_taken_over_is_closed_to_who_took_it(server, user):
    lock, end, look, take_away = blocks(section(PAGE, "An account was taken over"), "graphql")
    identity = connected(server, user)
    for mutation, given in ((lock, {"unknown": f"Unknown-{uuid4()}"}), (end, {})):
        token = sign_in(server, user)
        assert is_signed_in(server, token)
        done(server, mutation, user=user, **given)
        assert not is_signed_in(server, token)
    body = ask(server.url, look, server.secret_key, user=user)
    assert "errors" not in body, body
    assert [one["id"] for one in body["data"]["user"]["identities"]] == [identity]
    assert [body["data"]["user"][kind] for kind in ("passkeys", "securityKeys")] == [[], []]
    assert body["data"]["user"]["mfa"] == {"totp": None}
    token = sign_in(server, user)
    done(server, take_away, user=user, identity=identity)
    assert not is_signed_in(server, token)
    after = ask(server.url, look, server.secret_key, user=user)
    assert after["data"]["user"]["identities"] == []
    types = {one["type"] for one in body["data"]["auditLog"]["nodes"]}
    assert {"password_changed", "session_created", "sessions_revoked"} <= types
    assert body["data"]["user"]["emails"] == [
        body["data"]["user"]["primaryEmail"] | {"isVerified": True}
    ]


def connected(server: Server, user: str) -> str:
    """Connect an identity that is not the user's, as who took the account over has done."""
    identity, now = str(uuid4()), datetime.now(UTC).isoformat()
    columns = "id, user_id, provider, issuer, subject, claims, created_at, updated_at"
    row = (identity, user, "google", "https://accounts.google.com", uuid4().hex, "{}", now, now)
    with closing(sqlite3.connect(Path(server.environment["DATA_DIR"]) / SQLITE_FILE)) as file:
        file.execute(f"INSERT INTO identity ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        file.commit()
    return identity


@pytest.mark.one_database
async def test_on_a_full_disk_writes_are_refused_whole_and_reads_are_answered(services: Services):
    user = (await make_user(services)).id
    writer = database._open[0]._main
    (used,) = writer.execute("PRAGMA page_count").fetchone().values()
    writer.execute(f"PRAGMA max_page_count = {used}")  # as if there were no room for one more
    acknowledged = 0
    try:
        with pytest.raises(DatabaseUnavailable):
            while acknowledged < 1000:
                await write(services, user, acknowledged + 1)
                acknowledged += 1
        bags = (await services.metadata.of([user]))[user]
        assert json.loads(bags.public).get("count", 0) == acknowledged
        assert await recorded() == acknowledged
    finally:
        writer.execute(f"PRAGMA max_page_count = {2**30}")
    await write(services, user, acknowledged + 1)
    assert await recorded() == acknowledged + 1


async def write(services: Services, user: UUID, count: int) -> None:
    """Change a bag, which leaves a record."""
    changes = BagChanges(public={"count": count, "text": "x" * 2000})
    await services.metadata.change(SYSTEM, user, changes)


async def recorded() -> int:
    row = await fetch_row("SELECT COUNT(*) AS n FROM audit_event WHERE type = 'metadata_updated'")
    assert row is not None
    return int(row["n"])
