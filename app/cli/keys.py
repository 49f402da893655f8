"""Secret keys from the command line, whose operator is trusted."""

from datetime import UTC, datetime
from uuid import UUID

import click

from app.access import ALL_SCOPES, SCOPES, SYSTEM
from app.assembly import Services
from app.cli.session import State, json_option, show, with_services
from app.config.values import parse_duration
from app.secretkeys import NewSecretKey, SecretKey


@click.group()
def key() -> None:
    """Make, list and revoke secret keys."""


@key.command()
@click.option("--name", default="key", show_default=True, help="What to call it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([ALL_SCOPES, *SCOPES]),
    help="What it allows; may be given more than once. Everything where none is given.",
)
@click.option("--expires-in", help="A span such as 720h after which it ends.")
@json_option
@click.pass_obj
def create(
    state: State, name: str, scopes: tuple[str, ...], expires_in: str | None, as_json: bool
) -> None:
    """Make a secret key and print it, once."""
    new = NewSecretKey(name, scopes or (ALL_SCOPES,), _end(expires_in))

    async def work(services: Services) -> tuple[SecretKey, str]:
        return await services.secret_keys.create(SYSTEM, new, None)

    made, secret = with_services(state, work, may_begin=True)
    show({**_plain(made), "secret": secret}, as_json=as_json, text=secret)


@key.command(name="list")
@json_option
@click.pass_obj
def list_(state: State, as_json: bool) -> None:
    """List the secret keys, without their secrets."""

    async def work(services: Services) -> list[SecretKey]:
        return await services.secret_keys.list(None)

    found = with_services(state, work)
    text = "\n".join(f"{k.id}  sk_{k.prefix}…  {k.name}  [{_state(k)}]" for k in found)
    show([_plain(k) for k in found], as_json=as_json, text=text or "no secret keys")


@key.command()
@click.argument("key_id", type=click.UUID)
@json_option
@click.pass_obj
def revoke(state: State, key_id: UUID, as_json: bool) -> None:
    """End a secret key at once."""

    async def work(services: Services) -> SecretKey:
        return await services.secret_keys.revoke(SYSTEM, key_id, None)

    ended = with_services(state, work)
    show(_plain(ended), as_json=as_json, text=f"revoked {ended.id}")


def _end(span: str | None) -> datetime | None:
    if span is None:
        return None
    try:
        return datetime.now(UTC) + parse_duration(span)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from None


def _plain(found: SecretKey) -> dict[str, object]:
    return {name: getattr(found, name) for name in SecretKey.__slots__}


def _state(found: SecretKey) -> str:
    if found.revoked_at is not None:
        return "revoked"
    return f"until {found.expires_at}" if found.expires_at else "live"
