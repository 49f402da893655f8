"""Webhooks, for a secret key: who is told of which events.

In the reference's shapes, on the admin listener alone (SEC-108). The secret that signs is shown by
the answer that makes it, and by no other.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID, uuid5

from litestar import Response, delete, get, post, put
from msgspec import Struct

from app.ids import parse_id
from app.rest.bodies import known_members
from app.rest.fields import required_flag, required_text, required_texts
from app.rest.given import Caller, PathId, Services, body
from app.rest.refusals import for_key
from app.webhooks import SUBSCRIBABLE, Webhook, WebhookChanges
from app.webhooks.errors import WebhookNotFound

_PARTS = {
    "callback": {
        "type": "string",
        "format": "uri",
        "description": "URL that events are posted to; https in production.",
    },
    "events": {
        "type": "array",
        "items": {"type": "string", "enum": sorted(SUBSCRIBABLE)},
        "minItems": 1,
        "uniqueItems": True,
        "description": "Names of events; a name stands for all that begin with it and a dot.",
    },
}
_ENABLED = {"type": "boolean", "description": "Whether it is told."}
NewWebhookData = Annotated[Any, body("The webhook to make.", _PARTS, "callback", "events")]
WebhookData = Annotated[
    Any,
    body(
        "The webhook as it is to be.",
        {**_PARTS, "enabled": _ENABLED},
        "callback",
        "events",
        "enabled",
    ),
]


class WebhookEvent(Struct, frozen=True):
    """An event that a webhook is told of; the id is made of the webhook's and the name."""

    id: str
    event: str


class AdminWebhook(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook without its secrets; what one of the configuration does not have is left out."""

    id: str
    callback: str
    enabled: bool
    failures: int
    events: list[WebhookEvent]
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class NewWebhook(AdminWebhook, frozen=True, kw_only=True):
    """A webhook that was just made, with the secret that signs."""

    secret: str


class ConfiguredWebhook(Struct, frozen=True):
    """A webhook that stands in the configuration, and is changed there."""

    callback: str
    events: list[str]


class AdminWebhooks(Struct, frozen=True):
    """All webhooks; `config` is null where none stands in the configuration."""

    database: list[AdminWebhook]
    config: list[ConfiguredWebhook] | None


@get("/webhooks", tags=["webhooks"], **for_key("webhooks:read"))
async def list_webhooks(services: Services) -> AdminWebhooks:
    """List the webhooks. Needs `webhooks:read`."""
    hooks = await services.webhooks.listed()
    kept = [AdminWebhook(**_parts(one)) for one in hooks if not one.is_configured]
    configured = [
        ConfiguredWebhook(one.callback, list(one.events)) for one in hooks if one.is_configured
    ]
    return AdminWebhooks(kept, configured or None)


@post(
    "/webhooks",
    status_code=HTTPStatus.CREATED,
    tags=["webhooks"],
    **for_key("webhooks:write", 409),
)
async def create_webhook(
    data: NewWebhookData, services: Services, caller: Caller
) -> Response[NewWebhook]:
    """Make a webhook and give its secret, once. Needs `webhooks:write`."""
    given = known_members(data, "callback", "events")
    callback, events = required_text(given, "callback"), required_texts(given, "events")
    hook, secret = await services.webhooks.create(caller.actor, callback, events)
    location = {"location": f"/webhooks/{hook.id}"}
    return Response(
        NewWebhook(**_parts(hook), secret=secret), status_code=HTTPStatus.CREATED, headers=location
    )


@get("/webhooks/{webhook_id:str}", tags=["webhooks"], **for_key("webhooks:read", 404))
async def get_webhook(webhook_id: PathId, services: Services) -> AdminWebhook:
    """Give a webhook. Needs `webhooks:read`."""
    return AdminWebhook(**_parts(await services.webhooks.get(_wanted(webhook_id))))


@put("/webhooks/{webhook_id:str}", tags=["webhooks"], **for_key("webhooks:write", 404, 409))
async def update_webhook(
    webhook_id: PathId, data: WebhookData, services: Services, caller: Caller
) -> AdminWebhook:
    """Change a webhook. What has failed before counts no more. Needs `webhooks:write`."""
    given = known_members(data, "callback", "events", "enabled")
    changes = WebhookChanges(
        callback=required_text(given, "callback"),
        events=required_texts(given, "events"),
        is_enabled=required_flag(given, "enabled"),
    )
    hook = await services.webhooks.update(caller.actor, _wanted(webhook_id), changes)
    return AdminWebhook(**_parts(hook))


@delete("/webhooks/{webhook_id:str}", tags=["webhooks"], **for_key("webhooks:write", 404, 409))
async def delete_webhook(webhook_id: PathId, services: Services, caller: Caller) -> None:
    """Delete a webhook with its log; what waits is not delivered. Needs `webhooks:write`."""
    await services.webhooks.delete(caller.actor, _wanted(webhook_id))


def _wanted(webhook_id: str) -> UUID:
    """Read the id in a path; what is no id names nothing (SEC-068).

    Raises:
        WebhookNotFound: It is none.
    """
    found = parse_id(webhook_id)
    if found is None:
        raise WebhookNotFound
    return found


def _parts(hook: Webhook) -> dict[str, Any]:
    return {
        "id": str(hook.id),
        "callback": hook.callback,
        "enabled": hook.is_enabled,
        "failures": hook.failures,
        "events": [WebhookEvent(str(uuid5(hook.id, name)), name) for name in hook.events],
        "expires_at": hook.expires_at,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }
