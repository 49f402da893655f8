"""Mail: texts in every language, an outbox, SMTP, and development's mailbox."""

from app.mail.errors import MailServerRefused, MailTemplatesRefused, RecipientRefused
from app.mail.mailbox import KeptMail, Mailbox
from app.mail.outcomes import Outcome
from app.mail.service import Mail
from app.mail.templates import CARRY_A_CODE, TEMPLATES, Content, Notice, Template, values_of

__all__ = [
    "CARRY_A_CODE",
    "TEMPLATES",
    "Content",
    "KeptMail",
    "Mail",
    "MailServerRefused",
    "MailTemplatesRefused",
    "Mailbox",
    "Notice",
    "Outcome",
    "RecipientRefused",
    "Template",
    "values_of",
]
