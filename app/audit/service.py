"""Records what happened, in the transaction that made it happen (SEC-118)."""

import logging
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from app import strictjson
from app.access import Actor
from app.clock import Clock
from app.config.sections import Audit
from app.ids import new_id
from app.persistence import fetch

Event = Literal[
    "user_created",
    "user_updated",
    "user_deleted",
    "email_created",
    "email_verified",
    "email_deleted",
    "primary_email_changed",
    "metadata_updated",
    "session_created",
    "session_revoked",
    "sessions_revoked",
    "user_logged_out",
    "secret_key_created",
    "secret_key_rotated",
    "secret_key_revoked",
    "session_refresh_reused",
    "signing_key_created",
    "signing_key_rotated",
    "signing_key_retired",
    "signing_keys_resealed",
    "jwt_template_updated",
    "login_failure",
    "login_success",
    "passkey_created",
    "passkey_deleted",
    "passkey_registration_failed",
    "passkey_renamed",
    "passkey_verified",
    "security_key_created",
    "security_key_deleted",
    "password_changed",
    "password_deleted",
    "otp_created",
    "otp_deleted",
    "recovery_codes_created",
    "recovery_code_used",
    "recovery_codes_deleted",
    "trusted_device_created",
    "trusted_device_forgotten",
    "trusted_devices_forgotten",
]
"""Types of records; a name never changes its meaning."""

_INSERT = """
INSERT INTO audit_event (id, at, type, actor_kind, actor_id, subject_id, address, user_agent,
                         request_id, error, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_MASKED = ("address", "email", "username")
_USER_AGENT_KEPT = 400
_log = logging.getLogger("sekisho.audit")


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Keeps records in the database and repeats them among the logs.

    Details name what was touched, never a value of the private bag, a credential or a token
    (SEC-116); addresses and user names in them are masked where configured.
    """

    config: Audit
    clock: Clock

    async def record(
        self,
        event: Event,
        actor: Actor,
        *,
        subject: UUID | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Write one record; call it inside the transaction of the effect."""
        kind, actor_id = _who(actor)
        shown = self._masked(details or {})
        if self.config.storage.enabled:
            origin = actor.origin
            await fetch(
                _INSERT,
                new_id(),
                self.clock(),
                event,
                kind,
                actor_id,
                subject,
                origin.address or None,
                origin.user_agent[:_USER_AGENT_KEPT] or None,
                origin.request_id or None,
                None,
                strictjson.encode(shown),
            )
        if self.config.console_output.enabled:
            self._repeat(event, kind, actor_id, subject, actor.origin.request_id, shown)

    def _repeat(  # noqa: PLR0913, PLR0917  # the fields of one line
        self,
        event: Event,
        kind: str,
        actor_id: UUID | None,
        subject: UUID | None,
        request_id: str,
        details: dict[str, Any],
    ) -> None:
        who = {"actor_kind": kind, "actor_id": actor_id, "subject_id": subject}
        extra = {"audit": event, **who, "request_id": request_id, "details": details}
        _log.info("audit", extra={k: v for k, v in extra.items() if v})

    def _masked(self, details: dict[str, Any]) -> dict[str, Any]:
        if not self.config.mask:
            return details
        return {k: mask(v) if k in _MASKED and v else v for k, v in details.items()}


def mask(value: str) -> str:
    """Hide most of an address or user name, so that records name nobody outright."""
    local, at, domain = value.rpartition("@")
    if not at:
        return value[:1] + "*" * max(len(value) - 2, 1) + value[-1:] if len(value) > 2 else "***"  # noqa: PLR2004  # first and last
    kept = local[:3] if len(local) > 6 else local[:1]  # noqa: PLR2004  # as the reference masks
    return f"{kept}*****@{domain}"


def _who(actor: Actor) -> tuple[str, UUID | None]:
    if actor.secret_key is not None:
        return "secret_key", actor.secret_key.id
    if actor.session is not None:
        return "user", actor.session.user_id
    return ("anonymous", None) if actor.origin.request_id else ("system", None)
