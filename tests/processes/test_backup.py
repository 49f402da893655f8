"""A backup is taken while the server runs, by the words of the page, and restored by them."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import administer
from docs.recipes import marked, section, typed, with_programs
from processes import servers
from processes.servers import Server, ask

PAGE = "operations.md"
ME = "{ me { id publicMetadata } }"
USERS = "{ users(first: 10) { nodes { username } } }"
CREATE_USER = """mutation ($name: String!) {
  createUser(input: {username: $name, publicMetadata: {from: $name}}) {
    user { id } userErrors { code } } }"""
CREATE_SESSION = """mutation ($user: ID!) {
  createUserSession(userId: $user) { token userErrors { code } } }"""
END_SESSIONS = """mutation ($user: ID!) { revokeUserSessions(userId: $user) { ended } }"""


class Place:
    """A server's folder and database, the server in it, and a person at its keyboard."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.kind = "postgres" if variables else "sqlite"
        self.variables = {"DATA_DIR": str(folder / "data"), **variables}
        self.starts = 0

    def start(self, **variables: str) -> Server:
        self.starts += 1
        return servers.start(self.folder / f"server{self.starts}", **(self.variables | variables))

    def migrate(self, *words: str) -> str:
        """Run `sekisho migrate` beside no server, and give what it prints."""
        ran = servers.run(self.folder, "migrate", *words, **self.variables)
        assert ran.returncode == 0, ran.stderr
        printed: str = ran.stdout
        return printed

    def type(self, what: str) -> None:
        """Type what the page says for this kind of database."""
        script = marked(PAGE, f"{what}: {self.kind}")
        typed(script, self.folder, **with_programs(), **self.variables)

    async def run(self, statement: str) -> None:
        """Run a statement in the database of a stopped server."""
        if self.kind == "postgres":
            await administer(self.variables["DATABASE_URL"], statement)
            return
        with sqlite3.connect(self.folder / "data" / "sekisho.sqlite") as connection:
            connection.execute(statement)
        connection.close()


@pytest.fixture
def place(tmp_path: Path, new_database: dict[str, str]) -> Place:
    return Place(tmp_path, new_database)


@pytest.fixture
def start(place: Place) -> Any:
    """Starts the server, after the one before has stopped."""
    running: list[Server] = []

    def begin(**variables: str) -> Server:
        for server in running:
            server.stop()
        running.append(place.start(**variables))
        running[-1].wait_until_ready()
        return running[-1]

    yield begin
    for server in running:
        server.stop()


def create(server: Server, key: str, name: str) -> str:
    created = ask(server.url, CREATE_USER, key, name=name)["data"]["createUser"]
    assert created["userErrors"] == []
    user: str = created["user"]["id"]
    return user


def sign_in(server: Server, key: str, user: str) -> str:
    token: str = ask(server.url, CREATE_SESSION, key, user=user)["data"]["createUserSession"][
        "token"
    ]
    return token


def me(server: Server, token: str) -> Any:
    return ask(server.url, ME, token)["data"]["me"]


def names(server: Server, key: str) -> set[str]:
    nodes = ask(server.url, USERS, key)["data"]["users"]["nodes"]
    return {node["username"] for node in nodes}


def kids(server: Server) -> list[str]:
    return [key["kid"] for key in httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]]


async def test_what_was_there_at_the_backup_is_there_after_a_restore_and_nothing_else_sec_119(
    place: Place, start: Callable[..., Server]
) -> None:
    server = start()
    key = server.secret_key
    ada = create(server, key, "ada")
    token, published = sign_in(server, key, ada), kids(server)
    place.type("backup")  # while it runs
    create(server, key, "bob")
    ask(server.url, END_SESSIONS, key, user=ada)
    assert names(server, key) == {"ada", "bob"}
    assert me(server, token) is None
    server.stop()
    place.type("restore")
    refuses_another_secret(place)

    server = start()
    assert names(server, key) == {"ada"}
    assert kids(server) == published
    create(server, key, "bob")  # it can be written to
    assert me(server, token) == {"id": ada, "publicMetadata": {"from": "ada"}}  # ended since
    server.stop()
    statement = "DELETE FROM user_session;"
    assert f"`{statement}`" in section(PAGE, "Restoring")
    await place.run(statement)

    server = start()
    assert me(server, token) is None
    assert me(server, sign_in(server, key, ada))["id"] == ada


def test_an_older_backup_goes_into_the_database_of_a_newer_version_sec_119(
    place: Place, start: Callable[..., Server]
) -> None:
    """What the newer version has made is gone, and its migrations are applied anew."""
    server = start()
    key = server.secret_key
    ada = create(server, key, "ada")
    server.stop()
    place.migrate("down", "3", "--yes")
    before = place.migrate("status")
    assert before.count(" missing ") == 3
    place.type("backup")
    place.migrate("up")
    for _ in range(2):  # into what a restore has left, too
        place.type("restore")
        assert place.migrate("status") == before
        server = start()
        assert names(server, key) == {"ada"}
        assert me(server, sign_in(server, key, ada))["id"] == ada
        server.stop()


def refuses_another_secret(place: Place) -> None:
    """A backup opens with the secret of its day alone."""
    server = place.start(SECRET_KEYS="not-the-secret-of-that-day")
    assert server.wait() == 1
    assert "No configured encryption secret opens the stored keys." in server.errors
