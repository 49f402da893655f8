"""What commands share: the configuration, and services that are open while a command runs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app import logs
from app.clock import utc_now
from app.config import Config, Reading, read
from app.errors import IdentityError

if TYPE_CHECKING:  # the whole product, which a health check need not load
    from app.assembly import Services

T = TypeVar("T")
_BEGIN = "if it is the right place, run `sekisho migrate up` first, or start the server"


class Refused(Exception):  # as all our refusals
    """The command cannot do what it was asked; the message says why."""


@dataclass(frozen=True, slots=True)
class State:
    """What the options before the command have said."""

    config_file: Path | None

    def config(self) -> Config:
        """Read the configuration.

        Raises:
            Refused: It cannot be used.
        """
        return self.reading().config

    def reading(self) -> Reading:
        """Read the configuration, with warnings about what is odd in it.

        Raises:
            Refused: It cannot be used.
        """
        try:
            return read(self.config_file)
        except IdentityError as error:
            raise Refused(error.message) from None


def with_services(
    state: State, work: "Callable[[Services], Awaitable[T]]", *, may_begin: bool = False
) -> T:
    """Do *work* with services that are connected, migrated and closed again.

    Args:
        state: What the options before the command have said.
        work: What to do.
        may_begin: Whether it makes sense in a new database, which is made then. All else is most
            likely looking in the wrong place if nothing is there.

    Raises:
        Refused: The services cannot be opened, or the work was refused.
    """
    from app.assembly import assemble  # noqa: PLC0415  # see above

    config = state.config()
    logs.configure("WARNING")

    async def run() -> T:
        if not may_begin:
            await _look_for_database(config)
        services = assemble(config)
        try:
            await services.open()
            return await work(services)
        finally:
            await services.close()

    try:
        return asyncio.run(run())
    except IdentityError as error:
        raise Refused(error.message) from None


async def _look_for_database(config: Config) -> None:
    """See that there is a database with the schema of this version; make and change nothing.

    Raises:
        Refused: There is none.
    """
    from app.keys.tables import SigningKeyRow  # noqa: PLC0415  # see above
    from app.persistence import Migrations, connect, disconnect  # noqa: PLC0415  # see above

    database, secret = _files_of(config)
    if database is not None and not database.exists():
        raise Refused(f"there is no {database}; {_BEGIN}")
    await connect(config)
    try:
        if not await Migrations(utc_now).is_current():
            raise Refused(f"the database lacks migrations; {_BEGIN}")
        if secret is not None and not secret.exists() and await SigningKeyRow.exists():
            raise Refused(f"there is no {secret}, and the database holds keys that it opens")
    finally:
        await disconnect()


def _files_of(config: Config) -> tuple[Path | None, Path | None]:
    """Name the database and the encryption key, where they are files that a start makes."""
    from app.keys.secrets import FILE  # noqa: PLC0415  # see above
    from app.persistence.database import SQLITE_FILE  # noqa: PLC0415  # see above

    url, folder = config.database.url.reveal(), Path(config.data_dir)
    is_sqlite = url.startswith("sqlite:") or (not url and config.database.dialect == "sqlite")
    database = Path(url.removeprefix("sqlite:///")) if url else folder / SQLITE_FILE
    makes_secret = not (config.is_production or config.secret_keys or config.secrets.keys)
    return database if is_sqlite else None, folder / FILE if makes_secret else None


def show(value: Any, *, as_json: bool, text: str) -> None:  # noqa: ANN401  # any plain value
    """Print an outcome for a person, or for a program."""
    click.echo(json.dumps(value, indent=2, default=_printed) if as_json else text)


def _printed(value: Any) -> str:  # noqa: ANN401  # what JSON does not know
    return value.isoformat() if isinstance(value, datetime) else str(value)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
