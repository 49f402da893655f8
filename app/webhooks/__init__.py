"""Webhooks: events, and that those who want to be told of them are."""

from app.config.webhook_sections import EVENTS, SUBSCRIBABLE, EventName
from app.webhooks.deliveries import Delivery, DeliveryState, Outcome
from app.webhooks.dispatch import Dispatch
from app.webhooks.events import Events
from app.webhooks.hooks import Webhook
from app.webhooks.service import WebhookChanges, Webhooks

__all__ = [
    "EVENTS",
    "SUBSCRIBABLE",
    "Delivery",
    "DeliveryState",
    "Dispatch",
    "EventName",
    "Events",
    "Outcome",
    "Webhook",
    "WebhookChanges",
    "Webhooks",
]
