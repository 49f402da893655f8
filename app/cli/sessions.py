"""Session tokens from the command line, whose operator is trusted."""

from typing import Any
from uuid import UUID

import click

from app.access import SYSTEM
from app.assembly import Services
from app.cli.session import State, json_option, show, with_services
from app.sessions import Issued


@click.group()
def jwt() -> None:
    """Mint session tokens."""


@jwt.command()
@click.argument("user_id", type=click.UUID)
@json_option
@click.pass_obj
def create(state: State, user_id: UUID, as_json: bool) -> None:
    """Begin a session for a user and print its token.

    With --json it tells what the token claims as well.
    """

    async def work(services: Services) -> tuple[Issued, dict[str, Any]]:
        issued = await services.sessions.issue(SYSTEM, user_id)
        return issued, (await services.sessions.tokens.read(issued.token)).claims

    issued, claims = with_services(state, work)
    shown = {
        "token": issued.token,
        "claims": claims,
        "session_id": issued.session.id,
        "expires_at": issued.expires_at,
        "session_expires_at": issued.session.expires_at,
        "refresh_token": issued.refresh_token,
    }
    show(shown, as_json=as_json, text=issued.token)
