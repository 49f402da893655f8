"""Development's mailbox: where mail is kept while there is no SMTP server."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from app.clock import Clock
from app.ids import new_id
from app.mail.message import Letter
from app.mail.outcomes import Outcome
from app.persistence import Row, fetch, fetch_row, transaction
from app.sealing import Sealing

KEPT = 100
_COLUMNS = "id, recipient, sealed_content, sent_at"
_KEEP = f"INSERT INTO mailbox_mail ({_COLUMNS}) VALUES ($1, $2, $3, $4)"
_DROP = """
DELETE FROM mailbox_mail WHERE id NOT IN (
    SELECT id FROM mailbox_mail ORDER BY sent_at DESC, id DESC LIMIT $1
)
"""
_LIST = f"SELECT {_COLUMNS} FROM mailbox_mail ORDER BY sent_at DESC, id DESC LIMIT $1"
_FIND = f"SELECT {_COLUMNS} FROM mailbox_mail WHERE id = $1"


class _Kept(msgspec.Struct):
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail in the mailbox."""

    id: UUID
    to: str
    subject: str
    text: str
    html: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The newest mails of this deployment, sealed like every code that is stored."""

    sealer: Sealing
    clock: Clock

    async def deliver(self, letter: Letter) -> Outcome:
        """Keep a mail, and no more than the newest of all."""
        bytes(letter)  # what could not be sent is not kept either
        mail_id, content = new_id(), letter.content
        written = msgspec.json.encode(_Kept(content.subject, content.text, content.html)).decode()
        sealed = self.sealer.seal(written, _place(mail_id))
        async with transaction():
            await fetch(_KEEP, mail_id, letter.recipient.address, sealed, self.clock())
            await fetch(_DROP, KEPT)
        return Outcome("sent", "kept")

    async def newest(self) -> list[KeptMail]:
        """List the mails, newest first."""
        return [self._opened(row) for row in await fetch(_LIST, KEPT)]

    async def by_id(self, mail_id: UUID) -> KeptMail | None:
        """Find one mail."""
        row = await fetch_row(_FIND, mail_id)
        return None if row is None else self._opened(row)

    def _opened(self, row: Row) -> KeptMail:
        opened = self.sealer.open(row["sealed_content"], _place(row["id"]))
        kept = msgspec.json.decode(opened, type=_Kept)
        return KeptMail(
            row["id"], row["recipient"], kept.subject, kept.text, kept.html, row["sent_at"]
        )


def _place(mail_id: UUID) -> str:
    return f"mailbox_mail:{mail_id}"
