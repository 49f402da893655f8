"""Password hashes as text: our own format, and those that can be brought along. Pure.

| format | text |
| --- | --- |
| Argon2id, Argon2i | `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>` |
| bcrypt | `$2a$`, `$2b$` or `$2y$`, the cost, and 53 characters |
| scrypt | `$scrypt$ln=16,r=8,p=1$<salt>$<hash>` |
| PBKDF2 | `$pbkdf2-sha256$i=600000$<salt>$<hash>`, or the rounds alone; `sha512` likewise |
| Firebase scrypt | `$fbscrypt$v=1,n=14,r=8,p=1,ss=<separator>,sk=<signer key>$<salt>$<hash>` |

Salts and hashes are base64 without padding, in Firebase's format with it. A text is read strictly:
there is one way to write each hash, and it is long enough that nothing matches it by chance.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import bcrypt
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, verify_secret
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from app.credentials.errors import PasswordHashInvalid

MAX_TEXT = 1024
MAX_MEMORY = 100 * 1024
"""KiB that the check of an imported hash may take; Django's Argon2 takes as much."""

_MAX_ARGON2_WORK = 1024 * 1024  # KiB times passes: half a second
_MAX_BCRYPT_COST = 14
_MAX_SCRYPT_WORK = 2**21
_MAX_PBKDF2_ROUNDS = 2_000_000
_MIN_DIGEST, _MAX_DIGEST = 16, 64
_MIN_SALT, _MAX_SALT = 8, 64
_MAX_R, _MAX_LANES = 32, 16
_BCRYPT_READS = 72  # bytes of a password, everywhere
_BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class StoredHash(Protocol):
    """A password's hash."""

    @property
    def memory(self) -> int:
        """KiB that a check takes."""

    @property
    def is_costly(self) -> bool:
        """Whether a check takes more than an imported hash may."""

    def matches(self, password: bytes) -> bool:
        """Check a password; this takes its time."""


@dataclass(frozen=True, slots=True)
class Argon2Hash:
    """Argon2 (RFC 9106)."""

    kind: Literal["i", "id"]
    version: int
    memory: int
    passes: int
    lanes: int
    salt_size: int
    digest_size: int
    text: str = field(repr=False)

    @property
    def is_costly(self) -> bool:
        """Judge memory, and memory times passes."""
        return self.memory > MAX_MEMORY or self.memory * self.passes > _MAX_ARGON2_WORK

    def matches(self, password: bytes) -> bool:
        """Check a password."""
        kind = Type.ID if self.kind == "id" else Type.I
        try:
            return verify_secret(self.text.encode(), password, kind)
        except VerifyMismatchError:
            return False


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """bcrypt; like every bcrypt it reads 72 bytes of a password."""

    cost: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    memory: int = 4

    @property
    def is_costly(self) -> bool:
        """Judge the cost, a power of two."""
        return self.cost > _MAX_BCRYPT_COST

    def matches(self, password: bytes) -> bool:
        """Check a password."""
        settings = b"$2b$%02d$%s" % (self.cost, self.salt)
        made = bcrypt.hashpw(password[:_BCRYPT_READS], settings)
        return hmac.compare_digest(made[-len(self.digest) :], self.digest)


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """scrypt (RFC 7914)."""

    log_n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @property
    def memory(self) -> int:
        """Count the table, 128 · N · r bytes."""
        return (self.r << self.log_n) // 8

    @property
    def is_costly(self) -> bool:
        """Judge memory, and the work of all lanes."""
        return self.memory > MAX_MEMORY or (self.r * self.p << self.log_n) > _MAX_SCRYPT_WORK

    def matches(self, password: bytes) -> bool:
        """Check a password."""
        return hmac.compare_digest(self.derived(password, len(self.digest)), self.digest)

    def derived(self, password: bytes, size: int) -> bytes:
        """Derive *size* bytes from a password."""
        n = 1 << self.log_n
        room = 128 * self.r * (n + self.p + 2) + 4096  # what OpenSSL counts, and a little more
        return hashlib.scrypt(
            password, salt=self.salt, n=n, r=self.r, p=self.p, maxmem=room, dklen=size
        )


@dataclass(frozen=True, slots=True)
class FirebaseHash:
    """Firebase's scrypt: the derived key encrypts the project's signer key, which is the hash."""

    scrypt: ScryptHash
    signer_key: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @property
    def memory(self) -> int:
        """Count what scrypt takes."""
        return self.scrypt.memory

    @property
    def is_costly(self) -> bool:
        """Judge what scrypt takes."""
        return self.scrypt.is_costly

    def matches(self, password: bytes) -> bool:
        """Check a password."""
        key = self.scrypt.derived(password, 32)
        encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        made = encryptor.update(self.signer_key) + encryptor.finalize()
        return hmac.compare_digest(made, self.digest)


@dataclass(frozen=True, slots=True)
class Pbkdf2Hash:
    """PBKDF2 (RFC 8018) with HMAC-SHA-256 or HMAC-SHA-512."""

    algorithm: str
    rounds: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    memory: int = 0

    @property
    def is_costly(self) -> bool:
        """Judge the rounds, once more for each block that the hash is longer than."""
        blocks = -(-len(self.digest) // hashlib.new(self.algorithm).digest_size)
        return self.rounds * blocks > _MAX_PBKDF2_ROUNDS

    def matches(self, password: bytes) -> bool:
        """Check a password."""
        size = len(self.digest)
        made = hashlib.pbkdf2_hmac(self.algorithm, password, self.salt, self.rounds, size)
        return hmac.compare_digest(made, self.digest)


def parse(text: str) -> StoredHash:
    """Read a hash.

    Raises:
        PasswordHashInvalid: It is in no format that is listed, or is malformed.
    """
    if len(text) <= MAX_TEXT:
        for shape, read in _FORMATS:
            if found := shape.fullmatch(text):
                return read(found)
    raise PasswordHashInvalid


def _argon2(found: re.Match[str]) -> Argon2Hash:
    salt, digest = _decoded(found["salt"]), _digest(found["digest"])
    memory, lanes = int(found["memory"]), int(found["lanes"])
    if not _MIN_SALT <= len(salt) <= _MAX_SALT or memory < 8 * lanes or lanes > _MAX_LANES:
        raise PasswordHashInvalid
    return Argon2Hash(
        kind="id" if found["kind"] == "id" else "i",
        version=int(found["version"] or 16),
        memory=memory,
        passes=int(found["passes"]),
        lanes=lanes,
        salt_size=len(salt),
        digest_size=len(digest),
        text=found[0],
    )


def _bcrypt(found: re.Match[str]) -> BcryptHash:
    """Read bcrypt; two bits of the salt's last character count, whatever the others are."""
    cost, salt = int(found["cost"]), found["salt"]
    if not 4 <= cost <= 31:  # noqa: PLR2004  # as bcrypt has them
        raise PasswordHashInvalid
    last = _BCRYPT_ALPHABET[_BCRYPT_ALPHABET.index(salt[-1]) & 0b110000]
    return BcryptHash(cost, (salt[:-1] + last).encode(), found["digest"].encode())


def _scrypt(found: re.Match[str]) -> ScryptHash:
    return _scrypt_of(found, _decoded(found["salt"]), _digest(found["digest"]))


def _firebase(found: re.Match[str]) -> FirebaseHash:
    """Read Firebase's scrypt; without a signer key there is nothing that a password could match."""
    signer_key, digest = _padded(found["signer_key"] or ""), _padded(found["digest"])
    separator = _padded(found["separator"] or "")
    if len(digest) != len(signer_key) or not _MIN_DIGEST <= len(digest) <= 2 * _MAX_DIGEST:
        raise PasswordHashInvalid
    salt = _padded(found["salt"]) + separator
    return FirebaseHash(_scrypt_of(found, salt, digest), signer_key, digest)


def _scrypt_of(found: re.Match[str], salt: bytes, digest: bytes) -> ScryptHash:
    log_n, r, p = int(found["log_n"]), int(found["r"]), int(found["p"])
    if not 1 <= log_n < 16 * r or r > _MAX_R or not 1 <= p <= _MAX_LANES:
        raise PasswordHashInvalid  # RFC 7914 §2 bounds N by r
    if not _MIN_SALT <= len(salt) <= _MAX_SALT:
        raise PasswordHashInvalid
    return ScryptHash(log_n, r, p, salt, digest)


def _pbkdf2(found: re.Match[str]) -> Pbkdf2Hash:
    salt, digest = _decoded(found["salt"]), _digest(found["digest"])
    told = found["size"]
    if not _MIN_SALT <= len(salt) <= _MAX_SALT or (told and int(told) != len(digest)):
        raise PasswordHashInvalid
    return Pbkdf2Hash(f"sha{found['bits']}", int(found["rounds"]), salt, digest)


def _digest(text: str) -> bytes:
    digest = _decoded(text)
    if not _MIN_DIGEST <= len(digest) <= _MAX_DIGEST:
        raise PasswordHashInvalid
    return digest


def _decoded(text: str) -> bytes:
    """Read base64 without padding; passlib writes a dot for the plus."""
    return _padded(text.replace(".", "+") + "=" * (-len(text) % 4))


def _padded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise PasswordHashInvalid from None
    if base64.b64encode(data).decode() != text:  # bits that are thrown away must be zero
        raise PasswordHashInvalid
    return data


_N = "[1-9][0-9]"  # completed by how many digits may follow
_B64 = "[A-Za-z0-9+/]+"
_FORMATS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredHash]], ...] = (
    (
        re.compile(
            rf"\$argon2(?P<kind>id|i)\$(v=(?P<version>16|19)\$)?m=(?P<memory>{_N}{{0,9}}),"
            rf"t=(?P<passes>{_N}{{0,9}}),p=(?P<lanes>{_N}{{0,2}})\$(?P<salt>{_B64})\$(?P<digest>{_B64})"
        ),
        _argon2,
    ),
    (
        re.compile(
            r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>[./A-Za-z0-9]{22})"
            r"(?P<digest>[./A-Za-z0-9]{30}[.CGKOSWaeimquy26])"
        ),
        _bcrypt,
    ),
    (
        re.compile(
            rf"\$scrypt\$ln=(?P<log_n>{_N}?),r=(?P<r>{_N}?),p=(?P<p>{_N}?)"
            rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})"
        ),
        _scrypt,
    ),
    (
        re.compile(
            rf"\$pbkdf2-sha(?P<bits>256|512)\$((i=)?(?P<rounds>{_N}{{0,9}}))(,l=(?P<size>{_N}))?"
            r"\$(?P<salt>[A-Za-z0-9+/.]+)\$(?P<digest>[A-Za-z0-9+/.]+)"
        ),
        _pbkdf2,
    ),
    (
        re.compile(
            rf"\$fbscrypt\$v=1,n=(?P<log_n>{_N}?),r=(?P<r>{_N}?),p=(?P<p>{_N}?)"
            r"(,ss=(?P<separator>[A-Za-z0-9+/]*={0,2}))?(,sk=(?P<signer_key>[A-Za-z0-9+/]*={0,2}))?"
            r"\$(?P<salt>[A-Za-z0-9+/]*={0,2})\$(?P<digest>[A-Za-z0-9+/]*={0,2})"
        ),
        _firebase,
    ),
)
