"""The tables of mail that waits, and of development's mailbox."""

from piccolo.columns import UUID, Integer, Text, Timestamptz
from piccolo.table import Table


class OutboxRow(Table, tablename="mail_outbox"):
    """A mail to send. It is due at `due_at`; whoever takes it pushes that back and leaves a claim.

    What it says is sealed, and gone as soon as it is sent or given up.
    """

    id = UUID(primary_key=True)
    template = Text()
    language = Text()
    recipient = Text()
    sealed_values = Text(null=True, default=None)
    state = Text()
    attempts = Integer()
    due_at = Timestamptz()
    claim = UUID(null=True, default=None)
    answer = Text(null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    settled_at = Timestamptz(null=True, default=None)


class MailboxRow(Table, tablename="mailbox_mail"):
    """A mail that development kept instead of sending it."""

    id = UUID(primary_key=True)
    recipient = Text()
    sealed_content = Text()
    sent_at = Timestamptz()
