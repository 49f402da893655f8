"""A real SMTP server, which can be told to behave badly."""

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

logging.getLogger("mail.log").setLevel("ERROR")  # the server's own, which is no part of a test
USER, PASSWORD = "product", "a-password-of-this-test"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that vouches for itself."""

    file: Path
    context: ssl.SSLContext


def authority(folder: Path, name: str = "localhost") -> Authority:
    """Make a certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file, private = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return Authority(file, context)


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that has arrived."""

    sender: str
    recipients: tuple[str, ...]
    options: tuple[str, ...]
    raw: bytes
    secure: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        return self.message.get_body(("plain",)).get_content()

    @property
    def html(self) -> str:
        return self.message.get_body(("html",)).get_content()


@dataclass
class Server:
    """An SMTP server on a port of its own.

    `replies` maps a command (MAIL, RCPT, DATA) to what is answered in place of yes; `drops` names
    one at which the connection ends; `waits` one at which nothing is answered until `release`.
    """

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    drops: str = ""
    waits: str = ""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    mails: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    _listening: asyncio.Server | None = None

    @classmethod
    async def started(
        cls,
        trusted: Authority,
        *,
        tls: str = "starttls",
        auth: bool = False,
        utf8: bool = True,
        port: int = 0,
        **behaviour: Any,
    ) -> Self:
        server = cls(**behaviour)
        given: dict[str, Any] = {"enable_SMTPUTF8": utf8, "hostname": "mx.test", "ident": "test"}
        if tls == "starttls":
            given |= {"tls_context": trusted.context, "require_starttls": True}
        if auth:
            given |= {"authenticator": _authenticate, "auth_required": True}
            given |= {"auth_require_tls": tls == "starttls"}
        implicit = trusted.context if tls == "implicit" else None
        loop = asyncio.get_running_loop()
        server._listening = await loop.create_server(
            lambda: SMTP(server, **given), "127.0.0.1", port, ssl=implicit
        )
        server.port = server._listening.sockets[0].getsockname()[1]
        return server

    async def stop(self) -> None:
        self.release.set()
        if self._listening is not None:
            self._listening.close()

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from, envelope.mail_options = address, options
        return await self._reply("MAIL", server) or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        reply = await self._reply("RCPT", server)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        reply = await self._reply("DATA", server)
        if reply is None:
            user = session.auth_data.login.decode() if session.auth_data else None
            self.mails.append(
                Received(
                    envelope.mail_from,
                    tuple(envelope.rcpt_tos),
                    tuple(envelope.mail_options),
                    envelope.content,
                    session.ssl is not None
                    or server.transport.get_extra_info("sslcontext") is not None,
                    user,
                )
            )
        return reply or "250 2.0.0 queued as 4711"

    async def _reply(self, command: str, server: SMTP) -> str | None:
        self.commands.append(command)
        if self.waits == command:
            self.reached.set()
            await self.release.wait()
        if self.drops == command:
            server.transport.abort()
            return "421 gone"
        return self.replies.get(command)


def _authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    return AuthResult(success=good, handled=False, auth_data=data)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
