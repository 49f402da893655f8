"""Makes the message that is sent (RFC 5322)."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from uuid import UUID

import idna

from app.mail.errors import RecipientRefused
from app.mail.templates import Content
from app.text import email_key, is_printable

_SEVEN_BITS = "7bit"  # whatever server it passes, it arrives unaltered


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address as SMTP and headers take it: the domain in ASCII, the local part as it is."""

    local: str
    domain: str
    name: str = ""

    @classmethod
    def of(cls, address: str, name: str = "") -> "MailAddress":
        """Read exactly one mailbox (SEC-113).

        Raises:
            RecipientRefused: The text is none, or holds what must not reach a header.
        """
        trimmed = address.strip()
        if email_key(trimmed) is None or not is_printable(name):
            raise RecipientRefused
        local, _, domain = trimmed.rpartition("@")
        return cls(local, idna.encode(domain, uts46=True).decode("ascii").lower(), name)

    @property
    def address(self) -> str:
        """The address for the envelope."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Say whether only a server with SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()

    def header(self) -> Address:
        """Give the address for a header."""
        return Address(self.name, self.local, self.domain)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to go: its envelope, and what it says."""

    id: UUID
    sender: MailAddress
    recipient: MailAddress
    content: Content
    written_at: datetime

    @property
    def needs_utf8(self) -> bool:
        """Say whether the envelope or a header holds an address beyond ASCII."""
        return self.sender.needs_utf8 or self.recipient.needs_utf8

    def __bytes__(self) -> bytes:
        """Write the message: text and HTML, under one Message-ID however often it is tried.

        Raises:
            ValueError: The subject holds a control character.
        """
        if not is_printable(self.content.subject):
            raise ValueError("a control character in a subject")
        policy = (SMTPUTF8 if self.needs_utf8 else SMTP).clone(cte_type=_SEVEN_BITS)
        message = EmailMessage(policy)
        message["From"] = self.sender.header()
        message["To"] = self.recipient.header()
        message["Subject"] = self.content.subject
        message["Date"] = format_datetime(self.written_at)
        message["Message-ID"] = f"<{self.id}@{self.sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
        message.set_content(self.content.text)
        message.add_alternative(self.content.html, subtype="html")
        message["Content-Language"] = self.content.language  # last: else it would go with a part
        return message.as_bytes()
