"""A mail server that keeps of every mail the code in its subject."""

import asyncio
import re
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

_CODE = re.compile(r"\b[0-9]{6}\b")


class Postbox:
    """Where codes arrive, by recipient."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[str]] = {}

    async def listen(self, port: int) -> None:
        """Take mail from now on."""
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", port)

    def expect(self, recipient: str) -> asyncio.Future[str]:
        """Give the code that will be mailed to somebody; ask before it is sent."""
        code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._awaited[recipient] = code
        return code

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Take a mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        found = _CODE.search(message_from_bytes(content)["Subject"] or "")
        for recipient in envelope.rcpt_tos:
            code = self._awaited.pop(recipient, None)
            if found is not None and code is not None and not code.done():
                code.set_result(found[0])
        return "250 OK"
