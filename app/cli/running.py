"""Running the server."""

import asyncio
import contextlib
import json
import logging
import socket
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from logging.handlers import MemoryHandler
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import click

from app import logs
from app.access import ALL_SCOPES, SYSTEM
from app.assembly import Services, assemble
from app.cli.session import Refused, State
from app.config import Config
from app.config.server_sections import PublicListener
from app.errors import IdentityError
from app.http.listener import Listener, Name
from app.persistence import exclusive, transaction
from app.secretkeys import NewSecretKey
from app.server import address_of, listening
from app.server import serve as run_server
from app.telemetry import tracer_of

uvloop: ModuleType | None
try:
    import uvloop
except ImportError:  # no wheel for this platform
    uvloop = None

LISTENERS: dict[str, tuple[Name, ...]] = {
    "public": ("public",),
    "admin": ("admin",),
    "all": ("public", "admin"),
}
_log = logging.getLogger(__name__)
_CLOSING = 2
_MOST_HELD = 1_000


@click.command()
@click.argument("which", type=click.Choice(list(LISTENERS)), default="all")
@click.pass_obj
def serve(state: State, which: str) -> None:
    """Run the public listener, the admin listener, or both."""
    reading = state.reading()
    config = reading.config
    audit = sys.stdout if config.audit_log.console_output.output == "stdout" else sys.stderr
    logs.configure(config.log.level, audit=audit)
    try:
        with listening(config, LISTENERS[which]) as sockets:
            for warning in reading.warnings:
                _log.warning("configuration: %s", warning)
            _run(_serve(config, sockets))
    except IdentityError as error:
        raise Refused(error.message) from None


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is to be had."""
    loop = uvloop.new_event_loop if uvloop is not None else None
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work)


async def _serve(config: Config, sockets: dict[Name, socket.socket]) -> None:
    traces = config.telemetry.traces
    tracer = tracer_of(enabled=traces.enabled, trust_callers=traces.trust_callers)
    services = replace(assemble(config), tracer=tracer)
    try:
        with _records_held():
            applied = await services.open()
            services.templates.warn()
            secret = await _first_key(services)
            click.echo(_greeting(config, tuple(sockets), applied, secret))
            sys.stdout.flush()
        await run_server(services, sockets)
    finally:
        with contextlib.suppress(TimeoutError):  # whatever holds the database, we end
            async with asyncio.timeout(_CLOSING):
                await services.close()


@contextlib.contextmanager
def _records_held() -> Iterator[None]:
    """Let the audit records of a start follow what is printed for a person, not cut into it."""
    records = logging.getLogger(logs.AUDIT)
    handlers = records.handlers[:]
    held = [MemoryHandler(_MOST_HELD, logging.CRITICAL, target=one) for one in handlers]
    records.handlers[:] = held
    try:
        yield
    finally:
        records.handlers[:] = handlers
        for one in held:
            one.close()


async def _first_key(services: Services) -> str | None:
    """Make development's first secret key, where there has never been one; one replica does."""
    if services.config.is_production:
        return None
    async with transaction():
        await exclusive("first_key")
        if await services.secret_keys.list(None):
            return None
        new = NewSecretKey("first key", (ALL_SCOPES,))
        _, secret = await services.secret_keys.create(SYSTEM, new, None)
    return secret


def _greeting(
    config: Config, names: tuple[Name, ...], applied: list[str], secret: str | None
) -> str:
    """Say where everything is, and what to type next."""
    public, admin = _public_url(config), _admin_url(config)
    lines = [f"Sekisho is starting ({config.environment}, {_database(config)})."]
    if applied:
        lines.append(f"Database: {len(applied)} migration(s) applied.")
    if "public" in names:
        what = "GraphQL" if config.is_production else "GraphQL and GraphiQL"
        lines.append(f"  {what:<22} {public}/graphql")
        lines.append(f"  Keys (JWKS)            {public}/.well-known/jwks.json")
        if not config.is_production:
            lines.append(f"  Quickstart             {public}/quickstart")
    if "admin" in names:
        lines.append(f"  Admin listener         {admin}/graphql{_as_host(config, admin)}")
        if config.keeps_mailbox:
            lines.append(f"  Mailbox                {admin}/mailbox")
    if secret is not None:
        lines += _first_steps(public if "public" in names else admin, secret)
    elif not config.is_production:
        lines.append("A secret key was shown at the first start; `sekisho key create` makes more.")
    return "\n".join(lines)


def _public_url(config: Config) -> str:
    """Give the public URL, or where we listen if that was moved and the URL was not given."""
    url, port = config.server.public.url, address_of(config, "public")[1]
    return f"http://localhost:{port}" if url == PublicListener().url else url


def _admin_url(config: Config) -> str:
    """Give a URL of the admin listener, with a host that it knows where there is one."""
    port = address_of(config, "admin")[1]
    names = ("localhost", "127.0.0.1", *config.server.allowed_hosts)
    hosts = (name if ":" in name.rpartition("]")[2] else f"{name}:{port}" for name in names)
    listener = Listener("admin", config)
    return f"http://{next(filter(listener.accepts_host, hosts), f'localhost:{port}')}"


def _as_host(config: Config, url: str) -> str:
    """Say which Host header a request to *url* needs, if another than its own."""
    if Listener("admin", config).accepts_host(urlsplit(url).netloc):
        return ""
    return f", with the header Host: {urlsplit(config.server.public.url).netloc}"


def _first_steps(url: str, secret: str) -> list[str]:
    mutation = (
        'mutation { createUser(input: {emails: [{address: "ada@example.com"}], '
        'publicMetadata: {plan: "pro"}}) { user { id } userErrors { code } } }'
    )
    body = json.dumps({"query": mutation})
    return [
        "",
        "Your first secret key, shown this once (it may do everything):",
        "",
        f"  {secret}",
        "",
        "Make a user with it:",
        "",
        f"  curl {url}/graphql -H 'Authorization: Bearer {secret}' \\",
        f"    -H 'Content-Type: application/json' -d '{body}'",
        "",
        f"or open {url}/graphql in a browser and paste the key into its field.",
        "",
    ]


def _database(config: Config) -> str:
    url = config.database.url.reveal()
    dialect = url.partition(":")[0] if url else config.database.dialect
    if dialect != "sqlite":
        return "PostgreSQL"
    return f"SQLite in {url.removeprefix('sqlite:///') or f'{config.data_dir}/'}"
