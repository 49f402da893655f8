"""Webhooks, as the schema shows them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Self, cast

import strawberry

from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_secret_key
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.paging import After, Connection, First, page_request
from app.graphql.users import DeletePayload
from app.ids import parse_id
from app.webhooks import Delivery, DeliveryState, Webhook, WebhookChanges

WebhookId = Annotated[strawberry.ID, strawberry.argument(description="The webhook's UUID.")]
DeliveryId = Annotated[strawberry.ID, strawberry.argument(description="The delivery's UUID.")]
_ERRORS = "Why it was refused; empty where it was not."
_EVENTS = "Names of events; a name stands for all that begin with it and a dot."
_CALLBACK = "URL that events are posted to; https in production."


@strawberry.enum(description="Where a webhook stands.")
class WebhookSource(Enum):
    """A source, as the schema names it."""

    CONFIGURATION = strawberry.enum_value(
        "configuration", description="In the configuration, and is changed there."
    )
    DATABASE = strawberry.enum_value("database", description="It was made by the API.")


@strawberry.enum(description="Why a webhook is disabled.")
class WebhookDisabledReason(Enum):
    """A reason, as the schema names it."""

    OPERATOR = strawberry.enum_value("operator", description="Somebody has disabled it.")
    FAILING = strawberry.enum_value("failing", description="Every attempt failed for three days.")
    UNUSED = strawberry.enum_value("unused", description="Nothing was delivered for 30 days.")


@strawberry.enum(description="Where a delivery is.")
class WebhookDeliveryState(Enum):
    """A state, as the schema names it."""

    WAITING = strawberry.enum_value("waiting", description="It is tried at `dueAt`.")
    DELIVERED = strawberry.enum_value("delivered", description="The receiver has taken it.")
    FAILED = strawberry.enum_value("failed", description="It was given up.")


@strawberry.enum(description="What became of an attempt to deliver.")
class WebhookOutcome(Enum):
    """An outcome, as the schema names it."""

    DELIVERED = strawberry.enum_value("delivered", description="Answered with a status of 2xx.")
    REFUSED = strawberry.enum_value("refused", description="Answered with another status.")
    UNANSWERED = strawberry.enum_value(
        "unanswered",
        description="No answer within ten seconds, eight for a ping, or one that is not used.",
    )
    ADDRESS_REFUSED = strawberry.enum_value(
        "address_refused", description="The callback leads where nothing may be called."
    )
    UNREADABLE = strawberry.enum_value(
        "unreadable", description="The event is kept no longer, or no configured secret opens it."
    )
    EXPIRED = strawberry.enum_value("expired", description="It would have been too late.")


@strawberry.type(name="Webhook", description="Who is told of which events.")
class WebhookType:
    """A webhook without its secrets."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    callback: str = strawberry.field(description=_CALLBACK)
    events: list[str] = strawberry.field(description=_EVENTS)
    enabled: bool = strawberry.field(description="Whether it is told.")
    source: WebhookSource = strawberry.field(description="Where it stands.")
    disabled_reason: WebhookDisabledReason | None = strawberry.field(
        description="Why it is disabled; null where it is not, or stands in the configuration."
    )
    failures: int = strawberry.field(
        description="Attempts that have failed since the last one that did not."
    )
    failing_since: datetime | None = strawberry.field(description="When the first of those was.")
    last_success_at: datetime | None = strawberry.field(description="Last delivery, to the minute.")
    expires_at: datetime | None = strawberry.field(
        description="When it is disabled unless something is delivered, where "
        "`webhooks.allow_time_expiration` is on."
    )
    previous_secret_ends_at: datetime | None = strawberry.field(
        description="Until when the secret before the last rotation signs as well."
    )
    created_at: datetime | None = strawberry.field(
        description="When it was made; null where it stands in the configuration."
    )
    updated_at: datetime | None = strawberry.field(description="When it was changed last.")

    @classmethod
    def of(cls, hook: Webhook) -> Self:
        """Show a webhook."""
        source = WebhookSource.CONFIGURATION if hook.is_configured else WebhookSource.DATABASE
        reason = hook.disabled_reason
        return cls(
            id=strawberry.ID(str(hook.id)),
            callback=hook.callback,
            events=list(hook.events),
            enabled=hook.is_enabled,
            source=source,
            disabled_reason=WebhookDisabledReason(reason) if reason else None,
            failures=hook.failures,
            failing_since=hook.failing_since,
            last_success_at=hook.last_success_at,
            expires_at=hook.expires_at,
            previous_secret_ends_at=hook.previous_secret_ends_at,
            created_at=hook.created_at,
            updated_at=hook.updated_at,
        )


@strawberry.type(name="WebhookDelivery", description="One event for one webhook.")
class WebhookDeliveryType:
    """A delivery, without what it tells."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    webhook_id: strawberry.ID = strawberry.field(description="Whom it is for.")
    event_id: strawberry.ID = strawberry.field(
        description="The event's UUID: `webhook-id` and the token's `jti` in every attempt."
    )
    event: str = strawberry.field(description="The event's name.")
    user_id: strawberry.ID | None = strawberry.field(description="To whom it has happened.")
    state: WebhookDeliveryState = strawberry.field(description="Where it is.")
    attempts: int = strawberry.field(description="How often it was tried.")
    outcome: WebhookOutcome | None = strawberry.field(
        description="What became of the last attempt; null before the first."
    )
    status: int | None = strawberry.field(
        description="HTTP status of the last attempt, where there was one."
    )
    created_at: datetime = strawberry.field(description="When it was queued.")
    attempted_at: datetime | None = strawberry.field(description="When it was tried last.")
    due_at: datetime | None = strawberry.field(
        description="When it is tried next; null where it is not any more."
    )
    settled_at: datetime | None = strawberry.field(description="When it was delivered or given up.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Show a delivery."""
        user, outcome = delivery.user_id, delivery.outcome
        return cls(
            id=strawberry.ID(str(delivery.id)),
            webhook_id=strawberry.ID(str(delivery.webhook_id)),
            event_id=strawberry.ID(str(delivery.event_id)),
            event=delivery.event,
            user_id=strawberry.ID(str(user)) if user else None,
            state=WebhookDeliveryState(delivery.state),
            attempts=delivery.attempts,
            outcome=WebhookOutcome(outcome) if outcome else None,
            status=delivery.status,
            created_at=delivery.created_at,
            attempted_at=delivery.attempted_at,
            due_at=delivery.due_at if delivery.state == "waiting" else None,
            settled_at=delivery.settled_at,
        )


@strawberry.type(description="What became of a change of a webhook.")
class WebhookPayload:
    """A changed webhook."""

    webhook: WebhookType | None = strawberry.field(description="The webhook as it is now.")
    secret: str | None = strawberry.field(
        description="The secret that signs, shown by the mutation that makes it alone."
    )
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="A delivery that was asked for.")
class WebhookDeliveryPayload:
    """A delivery."""

    delivery: WebhookDeliveryType | None = strawberry.field(description="The delivery.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.input(description="A webhook to make.")
class CreateWebhookInput:
    """A webhook to make."""

    callback: str = strawberry.field(description=_CALLBACK)
    events: list[str] = strawberry.field(description=_EVENTS)


@strawberry.input(description="What of a webhook is to change; what is left out stays.")
class UpdateWebhookInput:
    """Changes of a webhook."""

    callback: strawberry.Maybe[str] = strawberry.field(description=_CALLBACK)
    events: strawberry.Maybe[list[str]] = strawberry.field(description=_EVENTS)
    enabled: strawberry.Maybe[bool] = strawberry.field(
        description="Whether it is told; what happens while it is not is never told."
    )


@strawberry.input(description="How a secret is followed by another.")
class RotateWebhookSecretInput:
    """A grace period."""

    grace: int = strawberry.field(
        default=86_400, description="Seconds the old secret signs on; 90 days at most."
    )


@strawberry.type
class WebhookQueries:
    """Questions about webhooks."""

    @strawberry.field(
        description="The webhooks, those of the configuration first.",
        extensions=[requires_secret_key("webhooks:read")],
    )
    async def webhooks(self, info: Info) -> list[WebhookType]:
        """List webhooks."""
        return [WebhookType.of(hook) for hook in await info.context.services.webhooks.listed()]

    @strawberry.field(
        description="The deliveries of the last three days to a webhook, newest first; null where "
        "there is no such webhook.",
        extensions=[requires_secret_key("webhooks:read")],
    )
    async def webhook_deliveries(
        self,
        info: Info,
        webhook_id: WebhookId,
        state: Annotated[
            WebhookDeliveryState | None, strawberry.argument(description="Those that are there.")
        ] = None,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> Connection[WebhookDeliveryType] | None:
        """List deliveries."""
        services = info.context.services
        hook_id = parse_id(webhook_id)
        hook = await services.webhooks.find(hook_id) if hook_id is not None else None
        if hook is None:
            return None
        wanted = cast("DeliveryState", state.value) if state is not None else None
        asked = page_request(first, after)
        page = await services.dispatch.page(hook.id, asked, state=wanted)
        return Connection[WebhookDeliveryType].of(page, WebhookDeliveryType.of)


@strawberry.type
class WebhookMutations:
    """Changes of webhooks."""

    @mutation(
        "Make a webhook and give its secret, once.",
        requires_secret_key("webhooks:write"),
        solo=True,
    )
    async def create_webhook(
        self,
        info: Info,
        input: Annotated[CreateWebhookInput, strawberry.argument(description="The webhook.")],  # noqa: A002
    ) -> WebhookPayload:
        """Make a webhook."""
        services, actor = info.context.services, info.context.actor
        events = tuple(input.events)
        hook, secret = await services.webhooks.create(actor, input.callback, events)
        return WebhookPayload(webhook=WebhookType.of(hook), secret=secret, user_errors=[])

    @mutation(
        "Change a webhook. What has failed before counts no more.",
        requires_secret_key("webhooks:write"),
    )
    async def update_webhook(
        self,
        info: Info,
        webhook_id: WebhookId,
        input: Annotated[UpdateWebhookInput, strawberry.argument(description="The changes.")],  # noqa: A002
    ) -> WebhookPayload:
        """Change a webhook."""
        services, actor = info.context.services, info.context.actor
        changes = WebhookChanges(
            callback=input.callback.value if input.callback else None,
            events=tuple(cast("Sequence[str]", input.events.value)) if input.events else None,
            is_enabled=input.enabled.value if input.enabled else None,
        )
        hook = await services.webhooks.update(actor, id_of(webhook_id, "webhook_id"), changes)
        return WebhookPayload(webhook=WebhookType.of(hook), secret=None, user_errors=[])

    @mutation(
        "Delete a webhook with its log; what waits is not delivered.",
        requires_secret_key("webhooks:write"),
    )
    async def delete_webhook(self, info: Info, webhook_id: WebhookId) -> DeletePayload:
        """Delete a webhook."""
        services, actor = info.context.services, info.context.actor
        await services.webhooks.delete(actor, id_of(webhook_id, "webhook_id"))
        return DeletePayload(deleted_id=webhook_id, user_errors=[])

    @mutation(
        "Make a new secret and give it, once; the old one signs as well until the grace period "
        "is over.",
        requires_secret_key("webhooks:write"),
        solo=True,
    )
    async def rotate_webhook_secret(
        self,
        info: Info,
        webhook_id: WebhookId,
        input: Annotated[  # noqa: A002  # the schema's word
            RotateWebhookSecretInput | None,
            strawberry.argument(description="The grace period."),
        ] = None,
    ) -> WebhookPayload:
        """Rotate the secret."""
        services, actor = info.context.services, info.context.actor
        grace = timedelta(seconds=(input or RotateWebhookSecretInput()).grace)
        hook, secret = await services.webhooks.rotate_secret(
            actor, id_of(webhook_id, "webhook_id"), grace
        )
        return WebhookPayload(webhook=WebhookType.of(hook), secret=secret, user_errors=[])

    @mutation(
        "Tell a webhook at once that it is reached, by the event `ping`, and say what became of "
        "it; it takes up to eight seconds.",
        requires_secret_key("webhooks:write"),
        solo=True,
    )
    async def ping_webhook(self, info: Info, webhook_id: WebhookId) -> WebhookDeliveryPayload:
        """Ping a webhook."""
        services, actor = info.context.services, info.context.actor
        delivery = await services.dispatch.ping(actor, id_of(webhook_id, "webhook_id"))
        return WebhookDeliveryPayload(delivery=WebhookDeliveryType.of(delivery), user_errors=[])

    @mutation(
        "Queue an event again, whatever became of it before; it keeps its id.",
        requires_secret_key("webhooks:write"),
    )
    async def replay_webhook_delivery(
        self, info: Info, delivery_id: DeliveryId
    ) -> WebhookDeliveryPayload:
        """Replay a delivery."""
        services, actor = info.context.services, info.context.actor
        delivery = await services.dispatch.replay(actor, id_of(delivery_id, "delivery_id"))
        return WebhookDeliveryPayload(delivery=WebhookDeliveryType.of(delivery), user_errors=[])
