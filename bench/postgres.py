"""A PostgreSQL for the bench: of our own with nothing left out, or the one that is named."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import services


@contextmanager
def postgres_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL that keeps its promises: fsync is on, as in production.

    The tests' own is started with `-F`, which would flatter every write.
    """
    given = os.environ.get("SEKISHO_TEST_POSTGRES_URL")  # noqa: TID251  # no setting of the server
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-postgres-") as name:
        folder = Path(name)
        programs, account = services._postgres_programs(folder)  # noqa: SLF001  # one starter is enough
        password, port = secrets.token_hex(16), services._free_port()  # noqa: SLF001
        data = services._new_cluster(programs, folder, password, account)  # noqa: SLF001
        address = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
        command: services.Command = [programs / "postgres", "-D", data, *address]
        with services._running(  # noqa: SLF001
            command,
            folder,
            lambda: services._postgres_is_ready(data),  # noqa: SLF001
            account,
        ):
            yield f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
