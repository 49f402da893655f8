"""Exports users: as of one moment, a page at a time, with nothing left out."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from app import strictjson
from app.access import Actor
from app.audit import AuditLog
from app.keyedhash import KeyedHash
from app.persistence import Row, fetch, snapshot, transaction
from app.transfer.records import (
    FORMAT,
    VERSION,
    CredentialRecord,
    EmailRecord,
    Header,
    IdentityRecord,
    PasswordRecord,
    RecoveryCodeRecord,
    SessionRecord,
    TotpRecord,
    TrustedDeviceRecord,
    UserRecord,
)
from app.transfer.rows import COLUMNS

_PAGE = 1_000
_COUNT = "SELECT count(*) AS users FROM app_user"
_FIRST = f"SELECT {COLUMNS['app_user']} FROM app_user ORDER BY id LIMIT $1"
_NEXT = f"SELECT {COLUMNS['app_user']} FROM app_user WHERE id > $1 ORDER BY id LIMIT $2"
_OPTIONAL = ("user_session", "trusted_device")
_NOTHING: Mapping[str, Any] = {}
_encoder = msgspec.json.Encoder()

Found = dict[str, list[Row]]
Write = Callable[[bytes, int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes users out; secrets leave only as they are stored (SEC-115)."""

    seal_mark: KeyedHash
    audit: AuditLog

    async def run(self, actor: Actor, write: Write, *, with_sessions: bool = False) -> int:
        """Write a file and say how many users it holds.

        The same users give the same bytes on every database.

        Args:
            actor: On whose behalf; the audit record names it.
            write: Given the file in parts, each with how many users are written and how many there
                are.
            with_sessions: Whether sessions and trusted devices are written too.
        """
        async with transaction():
            details = {"sessions": with_sessions}
            await self.audit.record("users_exported", actor, details=details)
        async with snapshot():
            users: int = (await fetch(_COUNT))[0]["users"]
            mark = self.seal_mark.digest(FORMAT)
            header = Header(format=FORMAT, version=VERSION, users=users, sealed_under=mark)
            await write(_encoder.encode(header) + b"\n", 0, users)
            written, page = 0, await fetch(_FIRST, _PAGE)
            while page:
                last = page[-1]["id"]
                found = await _belongings(page[0]["id"], last, with_sessions=with_sessions)
                written += len(page)
                await write(b"".join(_lines(page, found)), written, users)
                page = await fetch(_NEXT, last, _PAGE)
        return users


async def _belongings(first: UUID, last: UUID, *, with_sessions: bool) -> dict[UUID, Found]:
    """Read all that belongs to the users from *first* to *last*, in a statement a table."""
    found: dict[UUID, Found] = {}
    for table, columns in COLUMNS.items():
        if table == "app_user" or (table in _OPTIONAL and not with_sessions):
            continue
        sql = f"SELECT {columns} FROM {table} WHERE user_id >= $1 AND user_id <= $2"
        for row in await fetch(sql, first, last):
            found.setdefault(row["user_id"], {}).setdefault(table, []).append(row)
    return found


def _lines(page: Iterable[Row], found: Mapping[UUID, Found]) -> Iterable[bytes]:
    for row in page:
        yield _encoder.encode(_record(row, found.get(row["id"], {})))
        yield b"\n"


def _record(user: Row, of: Found) -> UserRecord:
    bags = next(iter(of.get("user_metadata", ())), _NOTHING)
    passwords, apps = of.get("user_password"), of.get("user_totp")
    return UserRecord(
        id=user["id"],
        username=user["username"],
        name=user["name"],
        given_name=user["given_name"],
        family_name=user["family_name"],
        picture=user["picture"],
        locale=user["locale"],
        created_at=_utc(user["created_at"]),
        updated_at=_utc(user["updated_at"]),
        last_sign_in_at=_utc(user["last_sign_in_at"]),
        emails=tuple(_email(row) for row in _in_order(of.get("email"))),
        public_metadata=_bag(bags, "public_bag"),
        private_metadata=_bag(bags, "private_bag"),
        unsafe_metadata=_bag(bags, "unsafe_bag"),
        metadata_version=bags.get("version") or None,
        password=_password(passwords[0]) if passwords else None,
        webauthn_credentials=tuple(
            _credential(row) for row in _in_order(of.get("webauthn_credential"))
        ),
        totp=_totp(apps[0]) if apps else None,
        recovery_codes=tuple(
            RecoveryCodeRecord(digest=row["digest"], created_at=_utc(row["created_at"]))
            for row in sorted(of.get("user_recovery_code", ()), key=lambda row: row["digest"])
        ),
        identities=tuple(_identity(row) for row in _in_order(of.get("identity"))),
        sessions=tuple(_session(row) for row in _in_order(of.get("user_session"))),
        trusted_devices=tuple(_device(row) for row in _in_order(of.get("trusted_device"))),
    )


def _in_order(rows: Sequence[Row] | None) -> Sequence[Row]:
    """Sort by time and id: databases need not agree on the order of what was not sorted."""
    return sorted(rows, key=lambda row: (row["created_at"], row["id"])) if rows else ()


def _email(row: Row) -> EmailRecord:
    return EmailRecord(
        id=row["id"],
        address=row["address"],
        is_primary=row["is_primary"],
        is_verified=row["is_verified"],
        created_at=_utc(row["created_at"]),
        updated_at=_utc(row["updated_at"]),
    )


def _password(row: Row) -> PasswordRecord:
    return PasswordRecord(
        id=row["id"],
        hash=row["hash"],
        imported=row["imported"],
        changed_at=_utc(row["changed_at"]),
    )


def _credential(row: Row) -> CredentialRecord:
    return CredentialRecord(
        id=row["id"],
        credential_id=row["credential_id"],
        public_key=row["public_key"],
        attestation_type=row["attestation_type"],
        aaguid=row["aaguid"],
        sign_count=row["sign_count"],
        transports=tuple(row["transports"].split()),
        is_backup_eligible=row["is_backup_eligible"],
        is_backed_up=row["is_backed_up"],
        is_mfa_only=row["is_mfa_only"],
        name=row["name"],
        created_at=_utc(row["created_at"]),
        last_used_at=_utc(row["last_used_at"]),
    )


def _totp(row: Row) -> TotpRecord:
    return TotpRecord(
        id=row["id"],
        sealed_secret=row["sealed_secret"],
        last_step=row["last_step"],
        created_at=_utc(row["created_at"]),
    )


def _identity(row: Row) -> IdentityRecord:
    return IdentityRecord(
        id=row["id"],
        provider=row["provider"],
        issuer=row["issuer"],
        subject=row["subject"],
        email_id=row["email_id"],
        claims=_bag(row, "claims"),
        created_at=_utc(row["created_at"]),
        updated_at=_utc(row["updated_at"]),
        last_sign_in_at=_utc(row["last_sign_in_at"]),
    )


def _session(row: Row) -> SessionRecord:
    return SessionRecord(
        id=row["id"],
        ip_address=row["ip_address"],
        user_agent=row["user_agent"],
        created_at=row["created_at"].astimezone(UTC),
        last_used_at=row["last_used_at"].astimezone(UTC),
        expires_at=row["expires_at"].astimezone(UTC),
        refresh_count=row["refresh_count"],
        refreshed_at=_utc(row["refreshed_at"]),
        amr=tuple(strictjson.parse(row["amr"].encode())) if row["amr"] else (),
        is_remembered=row["is_remembered"],
    )


def _device(row: Row) -> TrustedDeviceRecord:
    return TrustedDeviceRecord(
        id=row["id"],
        digest=row["digest"],
        user_agent=row["user_agent"],
        created_at=row["created_at"].astimezone(UTC),
        expires_at=row["expires_at"].astimezone(UTC),
    )


def _bag(bags: Mapping[str, Any], name: str) -> msgspec.Raw | msgspec.UnsetType:
    """Give a bag to the letter; an empty one is left out."""
    text = bags.get(name, "{}")
    return msgspec.UNSET if text == "{}" else msgspec.Raw(text.encode())


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
