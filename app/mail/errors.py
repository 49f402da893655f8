"""What can be wrong with a mail before it is queued."""

from app.errors import IdentityError, Invalid


class RecipientRefused(Invalid):
    """The text is not exactly one mailbox (SEC-113)."""

    code = "recipient_refused"
    message = "Mail cannot be sent to this address."


class MailTemplatesRefused(IdentityError):
    """A text of a mail cannot be used; the message says which and why."""

    code = "mail_templates_refused"
    message = "The texts of the mails cannot be used."


class MailServerRefused(IdentityError):
    """What is set of the SMTP server cannot be used; the message says why."""

    code = "mail_server_refused"
    message = "The mail server cannot be used as it is set."
