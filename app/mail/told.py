"""What the event of a mail says of it, in the form that receivers of the reference know. Pure."""

from datetime import datetime
from typing import Any

from app.mail.outbox import Draft
from app.mail.templates import ATTEMPTS, CARRY_A_CODE, Content

_NAMES = {
    "new_address": "new_email_address",
    "old_address": "old_email_address",
    "deleted_address": "deleted_email_address",
}


def told_of(
    draft: Draft, content: Content, service: str, now: datetime, *, is_delegated: bool
) -> dict[str, Any]:
    """Tell of a mail; of a code in it only to who is to send it (SEC-043, SEC-112).

    Args:
        draft: The mail.
        content: What it says.
        service: What the deployment calls itself.
        now: When it was caused.
        is_delegated: Whether the receiver of the event is to send it, and not we.
    """
    has_code, is_attempt = draft.template in CARRY_A_CODE, draft.template in ATTEMPTS
    said: dict[str, Any] = {"service_name": service}
    if has_code and is_delegated:
        said["otp_code"] = draft.values["code"]
    if has_code:
        said["ttl"] = int((draft.expires_at - now).total_seconds())
        said["valid_until"] = int(draft.expires_at.timestamp())
    elif not is_attempt:
        values = {_NAMES.get(name, name): value for name, value in draft.values.items()}
        said = {"template": draft.template, **said, **values}
    told = {
        "to_email_address": draft.recipient,
        "delivered_by_hanko": not is_delegated,
        "accept_language": draft.language,
        "language": draft.language,
        "type": draft.template if has_code or is_attempt else "security_notification",
        "data": said,
    }
    if has_code and not is_delegated:
        return told
    words = {"subject": content.subject, "body_plain": content.text, "body": content.html}
    return {**words, **told}
