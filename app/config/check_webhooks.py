"""Contradictions between the settings of webhooks."""

import base64
import re
from urllib.parse import urlsplit

from app.config.judging import Refuse
from app.config.sections import Config
from app.config.webhook_sections import SUBSCRIBABLE, Hook
from app.text import is_printable

LONGEST_CALLBACK = 2048
SECRET_BYTES = (24, 64)
"""How long a secret is, as Standard Webhooks has it."""

_MOST_SECRETS = 2
_SECRET = re.compile(r"whsec_([A-Za-z0-9+/]+={0,2})")


def refuse_webhooks(config: Config, refuse: Refuse) -> None:
    """Call *refuse* with a sentence for each thing that cannot be meant."""
    if not config.webhooks.enabled:
        return
    for number, hook in enumerate(config.webhooks.hooks):
        _hook(hook, f"webhooks.hooks[{number}]", refuse, is_production=config.is_production)


def callback_fault(callback: str, *, is_production: bool) -> str | None:
    """Say what is wrong with a URL that events are to be posted to; None where nothing is."""
    if len(callback) > LONGEST_CALLBACK or not is_printable(callback) or " " in callback:
        return f"must be a URL of at most {LONGEST_CALLBACK} characters"
    try:
        parts = urlsplit(callback)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken IPv6 address, or no port
        has_place = False
    if not has_place or parts.scheme not in ("http", "https"):
        return "must be an absolute http or https URL"
    if parts.username is not None or parts.fragment:
        return "must hold no user and no fragment"
    if is_production and parts.scheme != "https":
        return "must be an https URL in production"
    return None


def secret_bytes(text: str) -> bytes | None:
    """Read a secret of Standard Webhooks; None where it is none."""
    found = _SECRET.fullmatch(text)
    try:
        raw = base64.b64decode(found[1], validate=True) if found else b""
    except ValueError:
        return None
    return raw if SECRET_BYTES[0] <= len(raw) <= SECRET_BYTES[1] else None


def _hook(hook: Hook, place: str, refuse: Refuse, *, is_production: bool) -> None:
    fault = callback_fault(hook.callback, is_production=is_production)
    if fault is not None:
        refuse(f"{place}.callback {fault}")
    if not hook.events:
        refuse(f"{place}.events must name at least one event")
    for name in hook.events:
        if name not in SUBSCRIBABLE:
            refuse(f"{place}.events: there is no event {name!r}")
    if len(hook.secrets) > _MOST_SECRETS:
        refuse(f"{place}.secrets holds more than {_MOST_SECRETS}")
    if any(secret_bytes(one.reveal()) is None for one in hook.secrets):
        low, high = SECRET_BYTES
        refuse(f"{place}.secrets: each is whsec_ and base64 of {low} to {high} bytes")
