"""Requests that the server itself makes: the one client that does, and what it will not do."""

from app.outbound.addresses import ANYWHERE, Reach
from app.outbound.client import Limits, Outbound, client_settings
from app.outbound.lookups import LookUps
from app.outbound.transport import AddressRefused, GuardedTransport, Unanswered

__all__ = [
    "ANYWHERE",
    "AddressRefused",
    "GuardedTransport",
    "Limits",
    "LookUps",
    "Outbound",
    "Reach",
    "Unanswered",
    "client_settings",
]
