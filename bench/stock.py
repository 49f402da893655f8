"""The usual way to answer `me`: what a tutorial would have written, on the same rows.

Strawberry's own Litestar controller, the token verified by PyJWT on every request, the session and
the bags read by two Piccolo queries: on PostgreSQL through a started pool with its default
settings, on SQLite through Piccolo's own engine.
"""

import json
from typing import Any
from uuid import UUID

import jwt
import strawberry
from litestar import Litestar, Request
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine
from strawberry.litestar import make_graphql_controller
from strawberry.scalars import JSON
from strawberry.types import Info

from app.metadata.tables import UserMetadata
from app.sessions.tables import SessionRow
from bench.serving import Settings, run, serve

Asked = Request[Any, Any, Any]


@strawberry.type
class User:
    """A user with two bags."""

    id: strawberry.ID
    public_metadata: JSON
    unsafe_metadata: JSON


@strawberry.type
class Query:
    """One question."""

    @strawberry.field
    async def me(self, info: Info[dict[str, Any], None]) -> User | None:
        """Give the caller."""
        session_id = _session_of(info.context["request"], info.context["keys"])
        session = await SessionRow.select().where(SessionRow.id == session_id).first()
        if session is None:
            return None
        mine = UserMetadata.user_id == session["user_id"]
        bags = await UserMetadata.select().where(mine).first() or {}
        return User(
            id=strawberry.ID(str(session["user_id"])),
            public_metadata=json.loads(bags["public_bag"]),
            unsafe_metadata=json.loads(bags["unsafe_bag"]),
        )


def _session_of(request: Asked, keys: jwt.PyJWKSet) -> UUID:
    token = request.headers["authorization"].removeprefix("Bearer ")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, ["ES256"], options={"verify_aud": False})
    return UUID(claims["session_id"])


async def _started(settings: Settings) -> SQLiteEngine | PostgresEngine:
    if not settings.is_postgres:
        return SQLiteEngine(path=settings.sqlite_path)
    engine = PostgresEngine(config={"dsn": settings.database})
    await engine.start_connection_pool()
    return engine


async def main(settings: Settings) -> None:
    """Serve until told to stop."""
    keys = jwt.PyJWKSet.from_json(settings.jwks)
    engine = await _started(settings)
    for table in (SessionRow, UserMetadata):
        table._meta.db = engine  # noqa: SLF001  # Piccolo's own switch

    async def context(request: Asked) -> dict[str, Any]:
        return {"request": request, "keys": keys}

    schema = strawberry.Schema(Query)
    controller = make_graphql_controller(schema, path="/graphql", context_getter=context)
    await serve(Litestar([controller]), settings.port, lifespan="on")


if __name__ == "__main__":
    run(main(Settings.given()))
