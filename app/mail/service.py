"""Mail: queued by whoever causes it, delivered by the worker."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from app.clock import Clock
from app.config.sections import Config
from app.errors import IdentityError
from app.mail.languages import DEFAULT, choose
from app.mail.mailbox import Mailbox
from app.mail.message import Letter, MailAddress
from app.mail.outbox import LEASE, MOST_ATTEMPTS, Draft, Outbox, Taken
from app.mail.outcomes import Outcome
from app.mail.smtp import SmtpServer
from app.mail.templates import CARRY_A_CODE, LONGEST_VALUE, Template, Templates, values_of
from app.mail.told import told_of
from app.sealing import Sealing
from app.telemetry import work
from app.webhooks import Events

LATEST = timedelta(hours=24)
"""How long a mail without an end of its own may wait."""

_UNDER_WAY = 5
"""Seconds that may have passed since a code was made; its minutes are not rounded down for them."""

_TEST_WAITS = timedelta(minutes=10)
_log = logging.getLogger("sekisho.mail")


class Carrier(Protocol):
    """What takes mail: an SMTP server, or development's mailbox."""

    async def deliver(self, letter: Letter) -> Outcome:
        """Try once to hand a mail over."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends mail: codes, notices, and word of what was attempted.

    Attributes:
        service: What the deployment calls itself.
        carrier: Who takes the mail; None where delivery is switched off.
        mailbox: Where it is kept instead of being sent; None but in development without SMTP.
    """

    service: str
    templates: Templates
    outbox: Outbox
    events: Events
    sender: MailAddress
    carrier: Carrier | None
    mailbox: Mailbox | None
    clock: Clock

    @classmethod
    def of(cls, config: Config, sealer: Sealing, events: Events, clock: Clock) -> "Mail":
        """Build the service as it is configured.

        Raises:
            MailTemplatesRefused, MailServerRefused, RecipientRefused: It cannot be.
        """
        settings = config.email_delivery
        folder = Path(settings.templates_dir) if settings.templates_dir else None
        name = settings.from_name or config.service.name
        sender = MailAddress.of(config.mail_sender, name)
        mailbox = Mailbox(sealer, clock) if config.keeps_mailbox else None
        carrier: Carrier | None = mailbox
        if settings.enabled and settings.smtp.host:
            carrier = SmtpServer(settings.smtp, sender.domain)
        service = config.service.name
        templates, outbox = Templates(service, folder), Outbox(sealer, clock)
        return cls(service, templates, outbox, events, sender, carrier, mailbox, clock)

    def language(self, *wishes: str | None) -> str:
        """Choose a language there are texts in.

        Args:
            wishes: Strongest first: an explicit language, the user's locale, an Accept-Language.
        """
        return choose(self.templates.languages, *wishes)

    async def send(
        self,
        template: Template,
        recipient: str,
        language: str = DEFAULT,
        values: Mapping[str, str] | None = None,
        *,
        expires_at: datetime | None = None,
    ) -> UUID | None:
        """Queue a mail in the caller's transaction; it leaves once that is committed, or never.

        Where delivery is switched off the event of it says all that the mail would, so that its
        receiver can send it; otherwise no code is in it (SEC-043).

        Args:
            template: Which mail.
            recipient: One address.
            language: As `language` gives it.
            values: What the mail needs beside the service's name; see `values_of`. The minutes of
                a code are counted here.
            expires_at: When the code in it ends; such a mail is not sent any later.

        Returns:
            The mail's id, or None where delivery is switched off.

        Raises:
            RecipientRefused: The recipient is not exactly one mailbox.
        """
        MailAddress.of(recipient)
        said = self._said(template, values or {}, expires_at)
        now, spoken = self.clock(), self.language(language)
        draft = Draft(template, spoken, recipient.strip(), said, expires_at or now + LATEST)
        content = self.templates.render(template, spoken, said)
        is_delegated = self.carrier is None
        told = told_of(draft, content, self.service, now, is_delegated=is_delegated)
        await self.events.record("email.send", told)
        if is_delegated:
            return None
        return (await self.outbox.put(draft)).id

    async def test(self, recipient: str, language: str = DEFAULT) -> Outcome | None:
        """Queue a test message and try it at once; None where delivery is switched off.

        Raises:
            RecipientRefused: The recipient is not exactly one mailbox.
        """
        MailAddress.of(recipient)
        if self.carrier is None:
            return None
        ends, spoken = self.clock() + _TEST_WAITS, self.language(language)
        draft = Draft("test", spoken, recipient.strip(), {}, ends)
        mail = await self.outbox.put(draft, due_in=LEASE)
        return await self._deliver(self.carrier, mail)

    async def deliver_next(self) -> Outcome | None:
        """Try the mail that has been due for longest; None where there is nothing to do."""
        if self.carrier is None:
            return None
        mail = await self.outbox.take()
        if mail is None:
            return None
        outcome = await self._deliver(self.carrier, mail)
        fields = {"mail": mail.id, "template": mail.template, "answer": outcome.answer}
        level = logging.INFO if outcome.kind == "sent" else logging.WARNING
        _log.log(level, "mail %s", outcome.kind, extra=fields)
        return outcome

    async def sweep(self) -> int:
        """Mark what has expired, and delete what was settled long ago; say how many expired."""
        return await self.outbox.sweep()

    async def _deliver(self, carrier: Carrier, mail: Taken) -> Outcome:
        with work("mail", {"sekisho.mail.template": mail.template}) as attempt:
            outcome = await self._tried(carrier, mail)
            attempt.set("sekisho.outcome", outcome.kind)
            if outcome.kind != "sent":
                attempt.fail(outcome.kind)
            await self.outbox.settle(mail, outcome)
            return outcome

    async def _tried(self, carrier: Carrier, mail: Taken) -> Outcome:
        if mail.expires_at <= self.clock():
            return Outcome("expired", "expired")
        if mail.attempts > MOST_ATTEMPTS:  # each of them has ended with its process
            return Outcome("refused", "too many attempts")
        try:
            values = self.outbox.values(mail)
        except IdentityError:
            return Outcome("refused", "unreadable")
        content = self.templates.render(mail.template, mail.language, values)
        recipient = MailAddress.of(mail.recipient)
        letter = Letter(mail.id, self.sender, recipient, content, mail.created_at)
        return await carrier.deliver(letter)

    def _said(
        self, template: Template, values: Mapping[str, str], expires_at: datetime | None
    ) -> dict[str, str]:
        """Complete the values of a mail; a missing one is a defect of the caller."""
        said = {name: value[:LONGEST_VALUE] for name, value in values.items()}
        if template in CARRY_A_CODE:
            if expires_at is None:
                raise ValueError(f"the code of {template} needs an end")
            seconds = (expires_at - self.clock()).total_seconds()
            said["minutes"] = str(max(1, int((seconds + _UNDER_WAY) // 60)))
        if said.keys() != set(values_of(template)):
            raise ValueError(f"{template} needs {', '.join(values_of(template)) or 'no value'}")
        return said
