"""Pairs of servers on one database, of either kind."""

from collections.abc import Iterator

import pytest
from processes import servers
from processes.servers import Server

from app.config import Config


@pytest.fixture(scope="module")
def pair(
    database: Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """Two servers, started at once on a database that is theirs alone; the first shows the key."""
    folder = tmp_path_factory.mktemp("pair")
    with servers.empty_database(database) as variables:
        shared = {"DATA_DIR": str(folder / "data"), **variables}
        started = [servers.start(folder / name, **shared) for name in ("one", "other")]
        try:
            for server in started:
                server.wait_until_ready()
            first, second = sorted(started, key=lambda server: "sk_" not in server.output)
            yield first, second
        finally:
            for server in started:
                server.stop()
