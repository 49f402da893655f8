"""Servers that are empty, beside the one that the users are on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from databases import Fresh, administer, visiting
from transfer.people import secret_of

from app.assembly import Services, assemble
from app.config import load
from app.persistence import Migrations

Elsewhere = Callable[..., AbstractAsyncContextManager[Services]]


@asynccontextmanager
async def _opened(config, clock) -> AsyncIterator[Services]:
    async with visiting(config):
        await Migrations(clock).up()
        other = assemble(config, clock=clock)
        await other.signing_keys.load()
        yield other
        await other.passwords.close()


@pytest.fixture
def elsewhere(services, fresh: Fresh, clock) -> Elsewhere:
    """Visits an empty server of the same kind with the same secret, unless variables differ."""

    @asynccontextmanager
    async def visit(**environment: str) -> AsyncIterator[Services]:
        config = await fresh(**{"SECRET_KEYS": secret_of(services)} | environment)
        async with _opened(config, clock) as other:
            yield other

    return visit


@pytest.fixture
def on_postgres(services, postgres, tmp_path, clock) -> Elsewhere:
    """Visits an empty server on PostgreSQL, whatever the other one stands on."""

    @asynccontextmanager
    async def visit() -> AsyncIterator[Services]:
        name = f"sekisho_test_{uuid4().hex}"
        await administer(postgres, f"CREATE DATABASE {name}")
        file = tmp_path / "config.yaml"
        file.write_text("")
        url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
        secret = secret_of(services)
        variables = {"DATABASE_URL": url, "SECRET_KEYS": secret, "DATA_DIR": str(tmp_path)}
        try:
            async with _opened(load(file, variables), clock) as other:
                yield other
        finally:
            await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")

    return visit
