"""Records what happened, in the transaction that made it happen (SEC-118)."""

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from uuid import UUID

from app import strictjson
from app.access import Actor
from app.clock import Clock
from app.config.sections import Audit
from app.ids import new_id
from app.metrics import Metrics
from app.persistence import after_commit, fetch
from app.sweeping import in_parts

Event = Literal[
    "user_created",
    "user_updated",
    "user_deleted",
    "users_imported",
    "users_exported",
    "email_created",
    "email_verified",
    "email_deleted",
    "primary_email_changed",
    "username_changed",
    "username_deleted",
    "metadata_updated",
    "session_created",
    "session_revoked",
    "sessions_revoked",
    "user_logged_out",
    "secret_key_created",
    "secret_key_rotated",
    "secret_key_revoked",
    "secret_key_refused",
    "scope_missing",
    "session_refresh_reused",
    "signing_key_created",
    "signing_key_rotated",
    "signing_key_retired",
    "signing_keys_resealed",
    "jwt_template_updated",
    "login_failure",
    "login_success",
    "password_login_succeeded",
    "passcode_login_final_succeeded",
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
    "security_notification_sent",
    "thirdparty_signup_succeeded",
    "thirdparty_signin_succeeded",
    "thirdparty_linking_succeeded",
    "thirdparty_signin_signup_failed",
    "identity_deleted",
    "saml_certificate_created",
    "webhook_created",
    "webhook_updated",
    "webhook_deleted",
    "webhook_disabled",
    "webhook_secret_rotated",
    "webhook_delivery_replayed",
    "webhook_pinged",
    "rate_limit_exceeded",
]
"""Types of records; a name never changes its meaning."""

_INSERT = """
INSERT INTO audit_event (id, at, type, actor_kind, actor_id, subject_id, address, user_agent,
                         request_id, error, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_SWEEP = """
DELETE FROM audit_event WHERE id IN (
    SELECT id FROM audit_event WHERE at <= $1 ORDER BY at, id LIMIT $2
)
RETURNING id
"""
_MASKED = ("address", "email", "email_address", "username")
_USER_AGENT_KEPT = 400
_LOGINS = {
    "login_success": "success",
    "login_failure": "failure",
    "thirdparty_signin_signup_failed": "failure",
}
_log = logging.getLogger("sekisho.audit")


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Keeps records in the database and repeats them among the logs.

    Details name what was touched, never a value of the private bag, a credential or a token
    (SEC-116); addresses and user names in them are masked where configured.
    """

    config: Audit
    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)

    async def record(
        self,
        event: Event,
        actor: Actor,
        *,
        subject: UUID | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Write one record; call it inside the transaction of the effect.

        The line among the logs follows once that has been committed, so that there is none of what
        was undone.
        """
        kind, actor_id = _who(actor)
        flow = {"flow_id": str(actor.flow_id)} if actor.flow_id else {}
        shown = self._masked({**(details or {}), **flow})
        if event in _LOGINS:
            after_commit(partial(self.metrics.login, _method(event, shown), _LOGINS[event]))
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
            after_commit(partial(self._repeat, event, actor, subject, shown))

    async def sweep(self) -> None:
        """Delete the records whose time is over, the oldest first and a part at a time."""
        if self.config.retention.total_seconds() <= 0:
            return
        over = self.clock() - self.config.retention
        await in_parts(_SWEEP, over)

    def _repeat(
        self, event: Event, actor: Actor, subject: UUID | None, details: dict[str, Any]
    ) -> None:
        kind, actor_id = _who(actor)
        origin = actor.origin
        extra = {
            "audit": event,
            "actor_kind": kind,
            "actor_id": actor_id,
            "subject_id": subject,
            "session_id": actor.session.id if actor.session else None,
            "address": origin.address,
            "user_agent": origin.user_agent[:_USER_AGENT_KEPT],
            "request_id": origin.request_id,
            "details": details,
        }
        _log.info("audit", extra={k: v for k, v in extra.items() if v})

    def _masked(self, details: dict[str, Any]) -> dict[str, Any]:
        if not self.config.mask:
            return details
        return {k: mask(v) if k in _MASKED and v else v for k, v in details.items()}


def _method(event: Event, details: dict[str, Any]) -> object:
    """Say by what somebody has signed in, or by what they could not."""
    if event == "thirdparty_signin_signup_failed":
        return "third_party"
    second = details.get("mfa_method") if event == "login_failure" else None
    return second or details.get("login_method")


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
    came_in = actor.origin.request_id or actor.origin.address
    return ("anonymous", None) if came_in else ("system", None)
