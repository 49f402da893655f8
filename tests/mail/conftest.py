"""What the tests of mail ask for: an SMTP server of their own, and services that speak to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from factories import reconfigured
from mail.servers import Authority, Server, authority
from msgspec.structs import replace

from app.assembly import Services
from app.config.sections import EmailDelivery, Smtp


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate for localhost, and the file that vouches for it."""
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def smtp(trusted: Authority) -> AsyncIterator[Callable[..., Server]]:
    """Starts SMTP servers, which end with the test."""
    started: list[Server] = []

    async def start(**behaviour: object) -> Server:
        server = await Server.started(trusted, **behaviour)
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


@pytest.fixture
def delivering(services: Services, trusted: Authority) -> Callable[..., Services]:
    """Makes services that deliver to a server."""

    async def make(server: Server | int, *, templates_dir: str = "", **smtp: object) -> Services:
        port = server if isinstance(server, int) else server.port
        given = {"host": "localhost", "port": port, "ca_file": str(trusted.file), **smtp}
        delivery = EmailDelivery(
            from_address="noreply@id.example",
            from_name="Käse, Inc.",
            templates_dir=templates_dir,
            smtp=Smtp(**given),
        )
        return await reconfigured(services, email_delivery=delivery)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder for texts."""
    made = tmp_path / "texts"
    made.mkdir()
    yield made


@pytest.fixture
def without_mail(services: Services) -> Services:
    """The configuration with mail switched off."""
    return replace(services.config, email_delivery=EmailDelivery(enabled=False))
