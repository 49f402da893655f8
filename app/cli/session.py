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
from app.config import Config, Reading, read
from app.errors import IdentityError

if TYPE_CHECKING:  # the whole product, which a health check need not load
    from app.assembly import Services

T = TypeVar("T")


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


def with_services(state: State, work: "Callable[[Services], Awaitable[T]]") -> T:
    """Do *work* with services that are connected, migrated and closed again.

    Raises:
        Refused: The services cannot be opened, or the work was refused.
    """
    from app.assembly import assemble  # noqa: PLC0415  # see above

    config = state.config()
    logs.configure("WARNING")

    async def run() -> T:
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


def show(value: Any, *, as_json: bool, text: str) -> None:  # noqa: ANN401  # any plain value
    """Print an outcome for a person, or for a program."""
    click.echo(json.dumps(value, indent=2, default=_printed) if as_json else text)


def _printed(value: Any) -> str:  # noqa: ANN401  # what JSON does not know
    return value.isoformat() if isinstance(value, datetime) else str(value)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
