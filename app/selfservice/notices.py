"""Mail that tells a user what has changed on the account (SEC-037)."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.access import Actor
from app.audit import AuditLog
from app.config.sections import Config, Notification
from app.mail import Mail, Notice
from app.users import Account, Email


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who is told of a change.

    Args:
        actor: Who has made it.
        account: Whose account has changed.
        email: The primary address, as it was before.
        language: What the user's client asks for, if anything.
        browser_language: What the user's browser prefers, if it says so.
    """

    actor: Actor
    account: Account
    email: Email | None
    language: str = ""
    browser_language: str = ""


@dataclass(frozen=True, slots=True)
class Notices:
    """Queues notices, in the transaction of what they are about."""

    config: Config
    mail: Mail
    audit: AuditLog

    async def send(
        self, notice: Notice, to: Addressee, values: Mapping[str, str] | None = None
    ) -> None:
        """Tell a user, unless this notice is switched off or there is nobody to tell (Q-23, Q-33).

        Where addresses are to be proved, one that was not may be a stranger's and is told nothing.

        Args:
            notice: Which one.
            to: Who is told.
            values: What the mail names.
        """
        toggle: Notification = getattr(self.config.security_notifications.notifications, notice)
        email = to.email
        proved = email is not None and (
            email.is_verified or not self.config.email.require_verification
        )
        if email is None or not proved or not toggle.enabled:
            return
        spoken = self.mail.language(to.language, to.account.locale, to.browser_language)
        is_ours = await self.mail.send(notice, email.address, spoken, values) is not None
        details = {
            "template": notice,
            "email_address": email.address,
            "delivered_by_hanko": is_ours,
        }
        await self.audit.record(
            "security_notification_sent", to.actor, subject=to.account.id, details=details
        )


@dataclass(frozen=True, slots=True)
class IdentityNotices:
    """Tells of identities that have joined an account, whoever signs in with them."""

    notices: Notices

    async def tell(
        self, notice: Notice, actor: Actor, account: Account, email: Email | None, provider: str
    ) -> None:
        """Tell a user of an identity at a provider."""
        origin = actor.origin
        to = Addressee(actor, account, email, origin.language, origin.browser_language)
        await self.notices.send(notice, to, {"provider": provider})
