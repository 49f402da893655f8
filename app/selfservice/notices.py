"""Mail that tells a user what has changed on the account (SEC-037)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.config.sections import Config, Notification
from app.mail import Mail
from app.users import Account, Email

Notice = Literal[
    "password_update",
    "primary_email_update",
    "email_create",
    "email_delete",
    "passkey_create",
    "mfa_create",
    "mfa_delete",
]


@dataclass(frozen=True, slots=True)
class Notices:
    """Queues notices, in the transaction of what they are about."""

    config: Config
    mail: Mail

    async def send(
        self,
        notice: Notice,
        account: Account,
        email: Email | None,
        language: str = "",
        values: Mapping[str, str] | None = None,
    ) -> None:
        """Tell a user, unless this notice is switched off or there is nobody to tell (Q-23, Q-33).

        Args:
            notice: Which one.
            account: Whose account has changed.
            email: The primary address, as it was before. Where addresses are to be proved, one that
                was not may be a stranger's and is told nothing.
            language: What the client asks for, if anything.
            values: What the mail names.
        """
        toggle: Notification = getattr(self.config.security_notifications.notifications, notice)
        proved = email is not None and (
            email.is_verified or not self.config.email.require_verification
        )
        if email is None or not proved or not toggle.enabled:
            return
        spoken = self.mail.language(language, account.locale)
        await self.mail.send(notice, email.address, spoken, values)
