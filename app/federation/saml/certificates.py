"""Our own certificates: what requests are signed with, and assertions are encrypted for.

A certificate is self-signed and lasts two years. Sixty days before its end the next one is made;
it stands in our metadata for thirty days before requests are signed with it, and what is encrypted
for the old one is read until that ends. Private keys are stored sealed (SEC-119).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.federation.saml.requests import Signer
from app.ids import new_id
from app.keys import KeysUnreadable, Sealer
from app.persistence import Row, exclusive, fetch, transaction

BITS = 3072
LIFETIME = timedelta(days=730)
RENEWAL = timedelta(days=60)
AHEAD = timedelta(days=30)
_BACKDATED = timedelta(minutes=5)
_LONGEST_NAME = 64  # RFC 5280, ub-common-name
_LOCK = "saml_certificate"
_COLUMNS = "id, certificate, sealed_key, active_from, expires_at, created_at"
_READ = f"SELECT {_COLUMNS} FROM saml_certificate WHERE expires_at > $1 ORDER BY active_from, id"
_ADD = f"INSERT INTO saml_certificate ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"
_RESEAL = "UPDATE saml_certificate SET sealed_key = $2 WHERE id = $1"
_SWEEP = "DELETE FROM saml_certificate WHERE expires_at <= $1"
_log = logging.getLogger("sekisho.federation.saml")


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of ours.

    Attributes:
        id: The id of its row.
        certificate: The certificate.
        key: Its private key.
        active_from: When requests begin to be signed with it.
        expires_at: When it ends.
    """

    id: UUID
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    active_from: datetime
    expires_at: datetime

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True, slots=True)
class Certificates:
    """Keeps our certificates.

    Args:
        name: What the certificates call us.
        sealer: Seals private keys.
        audit: Records what is made.
        clock: Tells the time.
    """

    name: str
    sealer: Sealer
    audit: AuditLog
    clock: Clock
    _opened: dict[UUID, OwnCertificate] = field(default_factory=dict)

    async def all(self) -> list[OwnCertificate]:
        """Give the certificates that have not ended, the one in use or next in use last.

        Raises:
            KeysUnreadable: No encryption secret opens a private key.
        """
        rows = await fetch(_READ, self.clock())
        for row in rows:
            if row["id"] not in self._opened:
                self._opened[row["id"]] = self._open(row)
        return [self._opened[row["id"]] for row in rows]

    async def signer(self) -> Signer:
        """Give what a request is signed with now.

        Raises:
            KeysUnreadable: There is nothing, or it cannot be opened.
        """
        found = [one for one in await self.all() if one.active_from <= self.clock()]
        if not found:
            raise KeysUnreadable
        return Signer(found[-1].key, found[-1].certificate)

    async def keep_ready(self, actor: Actor) -> bool:
        """Make a certificate if there is none, or the newest is about to end; say if one was made.

        It takes a moment, and must run outside of transactions.
        """
        if not self._is_due(await fetch(_READ, self.clock())):
            return False
        made = await asyncio.to_thread(self._make)
        async with transaction():
            await exclusive(_LOCK)
            rows = await fetch(_READ, self.clock())
            if not self._is_due(rows):
                return False
            await self._add(actor, made, self.clock() + (AHEAD if rows else timedelta()))
        return True

    async def renew(self, actor: Actor, *, at_once: bool) -> OwnCertificate:
        """Make the next certificate now, in use after thirty days or at once."""
        made = await asyncio.to_thread(self._make)
        async with transaction():
            await exclusive(_LOCK)
            active_from = self.clock() + (timedelta() if at_once else AHEAD)
            certificate_id = await self._add(actor, made, active_from)
        return next(one for one in await self.all() if one.id == certificate_id)

    async def reseal(self) -> None:
        """Seal under the first secret what older ones have sealed."""
        async with transaction():
            await exclusive(_LOCK)
            for row in await fetch(_READ, self.clock()):
                if not self.sealer.is_current(row["sealed_key"]):
                    place = _place(row["id"])
                    sealed = self.sealer.seal(self.sealer.open(row["sealed_key"], place), place)
                    await fetch(_RESEAL, row["id"], sealed)

    async def sweep(self) -> None:
        """Remove the certificates that have ended."""
        await fetch(_SWEEP, self.clock())

    def _is_due(self, rows: Sequence[Row]) -> bool:
        return all(row["expires_at"] - self.clock() < RENEWAL for row in rows)

    def _make(self) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        key, now = new_key(), self.clock()
        name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, self.name[:_LONGEST_NAME] or "sekisho")]
        )
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=True,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, SHA256())
        )
        return key, certificate

    async def _add(
        self, actor: Actor, made: tuple[rsa.RSAPrivateKey, x509.Certificate], active_from: datetime
    ) -> UUID:
        key, certificate = made
        certificate_id = new_id()
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        await fetch(
            _ADD,
            certificate_id,
            certificate.public_bytes(Encoding.PEM).decode(),
            self.sealer.seal(plain, _place(certificate_id)),
            active_from,
            certificate.not_valid_after_utc,
            self.clock(),
        )
        details = {"certificate": str(certificate_id)}
        await self.audit.record("saml_certificate_created", actor, details=details)
        _log.info("a SAML certificate was made", extra=details)
        return certificate_id

    def _open(self, row: Row) -> OwnCertificate:
        plain = self.sealer.open(row["sealed_key"], _place(row["id"]))
        key = load_pem_private_key(plain.encode(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeysUnreadable
        return OwnCertificate(
            id=row["id"],
            certificate=x509.load_pem_x509_certificate(row["certificate"].encode()),
            key=key,
            active_from=row["active_from"],
            expires_at=row["expires_at"],
        )


def new_key() -> rsa.RSAPrivateKey:
    """Draw a key pair."""
    return rsa.generate_private_key(65537, BITS)


def _place(certificate_id: UUID) -> str:
    return f"saml_certificate/{certificate_id}"
