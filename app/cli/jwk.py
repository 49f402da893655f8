"""Signing keys from the command line, whose operator is trusted."""

from uuid import UUID

import click

from app.access import SYSTEM
from app.assembly import Services
from app.cli.session import State, json_option, show, with_services
from app.keys import SigningKey


@click.group()
def jwk() -> None:
    """Make, rotate, list and retire the keys that sign tokens."""


@jwk.command()
@json_option
@click.pass_obj
def create(state: State, as_json: bool) -> None:
    """Make the next key and publish it; a rotation lets it sign."""

    async def work(services: Services) -> SigningKey:
        return await services.signing_keys.create(SYSTEM)

    made = with_services(state, work)
    show(_plain(made), as_json=as_json, text=f"published {made.kid}; it waits for a rotation")


@jwk.command()
@click.option("--now", is_flag=True, help="Let it sign at once: for emergencies.")
@json_option
@click.pass_obj
def rotate(state: State, now: bool, as_json: bool) -> None:
    """Let the next key sign once it has been published long enough."""

    async def work(services: Services) -> SigningKey:
        return await services.signing_keys.rotate(SYSTEM, now=now)

    following = with_services(state, work)
    since = "now" if following.state == "active" else f"from {following.activates_at} on"
    show(_plain(following), as_json=as_json, text=f"{following.kid} signs {since}")


@jwk.command(name="list")
@json_option
@click.pass_obj
def list_(state: State, as_json: bool) -> None:
    """List the published keys, newest first."""

    async def work(services: Services) -> list[SigningKey]:
        return await services.signing_keys.list()

    found = with_services(state, work)
    text = "\n".join(f"{key.kid}  {key.algorithm}  [{_life(key)}]" for key in found)
    show([_plain(key) for key in found], as_json=as_json, text=text)


@jwk.command()
@click.argument("kid", type=click.UUID)
@click.option(
    "--force", is_flag=True, help="Even the key that signs; the next one, or a new one, follows."
)
@json_option
@click.pass_obj
def retire(state: State, kid: UUID, force: bool, as_json: bool) -> None:
    """End a key at once; every token that it has signed is void."""

    async def work(services: Services) -> SigningKey:
        return await services.signing_keys.retire(SYSTEM, kid, force=force)

    active = with_services(state, work)
    show(_plain(active), as_json=as_json, text=f"retired {kid}; {active.kid} signs")


def _plain(key: SigningKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in SigningKey.__slots__}


def _life(key: SigningKey) -> str:
    if key.activates_at is None:
        return f"next, published since {key.created_at}"
    since = f"{key.state}, {'from' if key.state == 'next' else 'since'} {key.activates_at}"
    return since if key.published_until is None else f"{since}, until {key.published_until}"
