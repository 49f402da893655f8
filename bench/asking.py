"""The requests, byte for byte, as the generator sends them."""

import json
from typing import Any

from bench.data import Filled, Signed
from bench.rows import cursor_at

HOST = "id.example.com"
ME = "{ me { id publicMetadata unsafeMetadata } }"
USERS = (
    "query ($after: String) { users(first: 100, after: $after) { nodes { id emails { address } "
    "publicMetadata } pageInfo { hasNextPage endCursor } } }"
)
UPDATE_ME = (
    "mutation ($bag: JSON) { updateMe(input: {unsafeMetadata: $bag}) "
    "{ user { id } userErrors { code } } }"
)
UPDATE_METADATA = (
    "mutation ($id: ID!, $bag: JSON) { updateUserMetadata(userId: $id, input: "
    "{publicMetadata: $bag}) { user { id } userErrors { code } } }"
)
_VALUES = 4
"""How many values each user's bag is changed to in turn, so that every change is one."""


def me(filled: Filled) -> list[str]:
    """Ask for the caller and two bags."""
    return [_post("/graphql", signed.token, query=ME) for signed in filled.signed]


def write(filled: Filled) -> list[str]:
    """Change the caller's unsafe bag on the floor."""
    return [
        _post("/write", signed.token, query=UPDATE_ME, variables={"bag": value})
        for signed, value in _changes(filled)
    ]


def update_me(filled: Filled) -> list[str]:
    """Change the caller's unsafe bag."""
    return [
        _post("/graphql", signed.token, query=UPDATE_ME, variables={"bag": value})
        for signed, value in _changes(filled)
    ]


def update_metadata(filled: Filled) -> list[str]:
    """Change a user's public bag with a secret key."""
    return [
        _post(
            "/graphql",
            filled.secret,
            query=UPDATE_METADATA,
            variables={"id": str(signed.user), "bag": value},
        )
        for signed, value in _changes(filled)
    ]


def users(filled: Filled, depth: float = 0.0) -> list[str]:
    """Ask for a page of a hundred users, so far down the list."""
    after = cursor_at(filled.users, depth) if depth else None
    return [_post("/graphql", filled.secret, query=USERS, variables={"after": after})]


def validate(filled: Filled) -> list[str]:
    """Ask whether a session lives."""
    return [_get("/sessions/validate", signed.token) for signed in filled.signed]


def jwks() -> list[str]:
    """Ask for the public keys."""
    return [_get("/.well-known/jwks.json")]


def alive() -> str:
    """Ask whether the server runs."""
    return _get("/health/alive")


def _changes(filled: Filled) -> list[tuple[Signed, dict[str, Any]]]:
    return [(signed, {"visits": n}) for n in range(_VALUES) for signed in filled.signed]


def _post(path: str, bearer: str, **body: Any) -> str:
    text = json.dumps(body)
    more = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return _head("POST", path, bearer) + more + "\r\n" + text


def _get(path: str, bearer: str = "") -> str:
    return _head("GET", path, bearer) + "\r\n"


def _head(method: str, path: str, bearer: str) -> str:
    own = f"Authorization: Bearer {bearer}\r\n" if bearer else ""
    common = f"Host: {HOST}\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
    return f"{method} {path} HTTP/1.1\r\n{common}{own}"
