"""The settings of webhooks, and the names that receivers may ask for."""

from typing import Annotated, Literal, get_args

from app.config.section import Section, about
from app.config.values import Secret

EventName = Literal[
    "user.create",
    "user.delete",
    "user.login",
    "user.update.email.create",
    "user.update.email.primary",
    "user.update.email.delete",
    "user.update.username.create",
    "user.update.username.update",
    "user.update.username.delete",
    "user.update.password.update",
    "email.send",
    "session.create.flow",
    "session.create.admin",
    "session.delete.explicit.logout",
    "session.delete.explicit.revoke",
    "session.delete.admin.revoke",
    "session.delete.passive.expire",
    "session.delete.passive.limit",
]
"""What happens, by the names that receivers know; a name never changes its meaning."""

EVENTS: tuple[EventName, ...] = get_args(EventName)


def _with_those_above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]


SUBSCRIBABLE = frozenset(name for event in EVENTS for name in _with_those_above(event))
"""What a hook may ask for: an event, or a name that stands for all whose first parts it is."""


class Hook(Section, frozen=True):
    """Who is told of which events."""

    callback: Annotated[str, about("URL that events are posted to; https in production.")]
    events: Annotated[
        list[str], about("Names of events; `user` stands for all that begin with `user.`.")
    ]
    secrets: Annotated[
        list[Secret],
        about(
            "Up to two secrets, `whsec_` and base64 of 24 to 64 bytes, each of which signs; with "
            "none there is the signed token alone."
        ),
    ] = []


class Webhooks(Section, frozen=True):
    """Telling others what happens."""

    enabled: Annotated[
        bool, about("Deliver to the hooks listed here; those made by the API are told always.")
    ] = False
    allow_time_expiration: Annotated[
        bool,
        about(
            "Disable hooks made by the API that were told nothing for 30 days.",
            env="WEBHOOKS_ALLOWTIMEEXPIRATION",
        ),
    ] = False
    hooks: Annotated[
        list[Hook],
        about(
            "Hooks, each with `callback`, `events` and, if you like, `secrets`; in the variable "
            "JSON objects with `;` between them."
        ),
    ] = []
