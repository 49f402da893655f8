"""Webhooks from the command line, whose operator is trusted."""

from dataclasses import fields
from uuid import UUID

import click

from app.access import SYSTEM
from app.assembly import Services
from app.cli.session import State, json_option, show, with_services
from app.webhooks import Delivery, Webhook


@click.group()
def webhook() -> None:
    """List webhooks, and deliver events again."""


@webhook.command(name="list")
@json_option
@click.pass_obj
def list_(state: State, as_json: bool) -> None:
    """List the webhooks, without their secrets."""

    async def work(services: Services) -> list[Webhook]:
        return await services.webhooks.listed()

    found = with_services(state, work)
    text = "\n".join(f"{h.id}  {h.callback}  {' '.join(h.events)}  [{_state(h)}]" for h in found)
    show([_plain(hook) for hook in found], as_json=as_json, text=text or "no webhooks")


@webhook.command()
@click.argument("delivery_ids", nargs=-1, type=click.UUID)
@click.option(
    "--failed-of",
    type=click.UUID,
    help="A webhook: everything that was given up there, at most a thousand deliveries at once.",
)
@json_option
@click.pass_obj
def replay(
    state: State, delivery_ids: tuple[UUID, ...], failed_of: UUID | None, as_json: bool
) -> None:
    """Queue events again, by the ids of deliveries.

    A running server delivers them. Either all of them are queued or none is.
    """
    if not delivery_ids and failed_of is None:
        raise click.UsageError("Name deliveries, or a webhook by --failed-of.")

    async def work(services: Services) -> list[Delivery]:
        return await services.dispatch.replay_all(SYSTEM, delivery_ids, failed_of=failed_of)

    queued = with_services(state, work)
    text = "\n".join(f"queued {one.id}  {one.event}" for one in queued)
    show([_plain(one) for one in queued], as_json=as_json, text=text or "nothing has failed")


def _plain(found: Webhook | Delivery) -> dict[str, object]:
    return {one.name: getattr(found, one.name) for one in fields(found)}


def _state(hook: Webhook) -> str:
    where = "configured, " if hook.is_configured else ""
    if not hook.is_enabled:
        reason = f": {hook.disabled_reason}" if hook.disabled_reason else ""
        return f"{where}disabled{reason}"
    return f"{where}failing since {hook.failing_since}" if hook.failing_since else f"{where}enabled"
