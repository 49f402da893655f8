"""Hands mail to the SMTP server."""

import asyncio
import contextlib
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTP

from app.config.sections import Smtp
from app.mail.errors import MailServerRefused
from app.mail.message import Letter
from app.mail.outcomes import Outcome

WHOLE = 60.0
"""Seconds a mail may take from the first packet to the last reply."""

_LEAVING = 2.0
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")  # RFC 3463 §2
_CLOSING = 421  # RFC 5321 §4.2.3: about the connection, not about the mail
_ABOUT_US = (_CLOSING, 530, 534, 535, 538)  # RFC 4954 §6: who we are, not what we send
_LONGEST_WORDS = 500
_Deferring = Literal["deferred", "unreachable"]


class SmtpServer:
    """The configured server. Each mail has a connection of its own."""

    def __init__(self, settings: Smtp, name: str) -> None:
        """Prepare.

        Args:
            settings: Where it is and how to get in.
            name: What we call ourselves when we greet it.

        Raises:
            MailServerRefused: The file of certificates cannot be read.
        """
        self._settings = settings
        self._name = name
        self._trusted = _trusted(settings.ca_file)

    async def deliver(self, letter: Letter) -> Outcome:
        """Try once to hand a mail over."""
        client = self._client()
        try:
            async with asyncio.timeout(WHOLE):
                try:
                    await self._enter(client)
                except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                    return _told(error, "unreachable")
                return await self._hand_over(client, letter)
        except TimeoutError:
            if not client.is_connected:
                return Outcome("unreachable", "timeout")
            return Outcome("deferred", "timeout", counts=True)
        finally:
            client.close()

    def _client(self) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._name,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.protection == "implicit",
            start_tls=settings.protection == "starttls",  # refused means: not at all
            tls_context=self._trusted,
        )

    async def _enter(self, client: SMTP) -> None:
        await client.connect()
        await client.ehlo()
        if self._settings.user:
            await client.login(self._settings.user, self._settings.password.reveal())

    async def _hand_over(self, client: SMTP, letter: Letter) -> Outcome:
        if letter.needs_utf8 and not client.supports_extension("smtputf8"):
            return Outcome("refused", "no SMTPUTF8", "The server takes ASCII addresses alone.")
        options = ["SMTPUTF8"] if letter.needs_utf8 else []
        sender, recipient = letter.sender.address, letter.recipient.address
        try:
            _, words = await client.sendmail(
                sender, [recipient], bytes(letter), mail_options=options
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            return replace(_told(error.recipients[0], "deferred"), counts=True)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _told(error, "deferred")
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_LEAVING)
        return Outcome("sent", _answer(250, words), _shown(words))


def _told(error: Exception, otherwise: _Deferring) -> Outcome:
    """Judge what went wrong: by the server's reply where there is one, else by when it was."""
    if not isinstance(error, aiosmtplib.SMTPResponseException) or error.code <= 0:
        return Outcome(otherwise, _kind(error), _shown(str(error)), counts=True)
    answer, words = _answer(error.code, error.message), _shown(error.message)
    if otherwise == "unreachable" or error.code in _ABOUT_US:
        return Outcome("unreachable", answer, words)
    return Outcome("refused" if error.code // 100 == 5 else "deferred", answer, words)  # noqa: PLR2004  # 5yz: for good


def _kind(error: Exception) -> str:
    """Name an error without its words: what a library says may quote what it was handed."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else None
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(cause or error).__name__


def _answer(code: int, words: str) -> str:
    enhanced = _ENHANCED.match(words)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _shown(words: str) -> str:
    """Make a reply fit for one line of a terminal."""
    return "".join(c if c.isprintable() else " " for c in words[:_LONGEST_WORDS])


def _trusted(file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=Path(file) if file else None)
    except OSError as error:  # ssl's own errors are of this kind
        raise MailServerRefused(
            f"email_delivery.smtp.ca_file: {file} holds no certificates that can be read."
        ) from error
