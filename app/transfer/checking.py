"""Holds an entry against the rules and makes rows of it; its parts are judged in `parts`.

The rules are those of the domains: an address, a user name, a profile, a bag and a hash are judged
by the code that judges them anywhere else (SEC-115).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from app import strictjson
from app.clock import STORABLE_YEARS
from app.config.sections import BagLimits, Config
from app.credentials.errors import PasswordHashTooCostly
from app.credentials.password_formats import parse
from app.credentials.totp import Totp
from app.errors import IdentityError
from app.federation.identities import MOST_ISSUER, MOST_SUBJECT
from app.ids import new_id
from app.metadata import Bag
from app.text import is_printable
from app.transfer import hanko
from app.transfer.errors import EntryInvalid
from app.transfer.parts import (
    EMPTY_BAG,
    bag_text,
    check_credential,
    claims_text,
    methods_text,
    refuse_many,
    refuse_twice,
    shown,
    word,
)
from app.transfer.reading import Entry, Format
from app.transfer.records import (
    CredentialRecord,
    EmailRecord,
    IdentityRecord,
    TotpRecord,
    UserRecord,
)
from app.transfer.rows import Prepared, Row, values
from app.users import ProfileChanges
from app.users.accounts import PROFILE, address_key, check_id
from app.users.errors import IdentifierMissing, PrimaryEmailWrong

MOST_TEXT = 255
MOST_EMAILS = 100
"""Addresses of one entry, unless the configuration allows users more."""

_MOST_CREDENTIALS = 200  # passkeys and security keys: 100 of each, in any configuration
_MOST_IDENTITIES = 1_000  # nothing else bounds them
_MOST_SESSIONS = 100  # as with addresses
_MOST_CODES = _MOST_DEVICES = 100
_BAGS = (
    (Bag.PUBLIC, "public_metadata", "public_bag"),
    (Bag.PRIVATE, "private_metadata", "private_bag"),
    (Bag.UNSAFE, "unsafe_metadata", "unsafe_bag"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry is not imported; it quotes nothing of the entry but its id."""

    entry: int
    user_id: UUID | None
    code: str
    message: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checking:
    """The rules of one import; everything that has no time of its own gets `now`."""

    config: Config
    caps: BagLimits
    totp: Totp
    now: datetime
    unknown_fields: set[str] = field(default_factory=set)
    """Fields of Hanko's format that nobody knows; they are left out."""

    def judge(self, entry: Entry, kind: Format) -> Prepared | Problem:
        """Make rows of an entry, or say what is wrong with it."""
        record: UserRecord | None = None
        try:
            record = self._read(entry.raw, kind)
            return self._prepared(entry.number, record, kind)
        except IdentityError as error:
            found = None if record is None else record.id
            return Problem(entry.number, found, error.code, error.message, error.path)

    def _read(self, raw: bytes, kind: Format) -> UserRecord:
        """Read an entry of either format.

        Raises:
            EntryInvalid: It is no JSON as we accept it (SEC-105), or not of that format.
        """
        try:
            if kind == "sekisho":
                record = msgspec.json.decode(raw, type=UserRecord)
                if msgspec.json.encode(record) != raw:  # what we have written says nothing twice
                    strictjson.parse(raw)
                return record
            user = msgspec.json.decode(raw, type=hanko.HankoUser)
            self.unknown_fields.update(hanko.unknown_fields(strictjson.parse(raw)))
        except msgspec.ValidationError as error:
            raise EntryInvalid(f"{error}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise EntryInvalid("The entry is no JSON object.") from None
        except strictjson.NotJson as error:
            raise EntryInvalid(str(error)) from None
        return hanko.record_of(user)

    def _prepared(self, number: int, record: UserRecord, kind: Format) -> Prepared:
        check_id(record.id)
        user_id = record.id or new_id()
        created, updated = self._time(record.created_at), self._time(record.updated_at)
        profile = _profile(record, self.config)
        bags = self._bags(record)
        given = {**profile, **self._times_given(record), **bags}
        rows = {
            "app_user": [
                (
                    user_id,
                    profile.get("username"),
                    profile.get("username_key"),
                    *(profile.get(name) for name in PROFILE),
                    created,
                    updated,
                    given.get("last_sign_in_at"),
                )
            ],
            "user_metadata": [
                (
                    user_id,
                    *(bags.get(column, EMPTY_BAG) for _, _, column in _BAGS),
                    given.get("version", int(bool(bags))),
                )
            ],
        }
        if record.emails:
            rows["email"] = self._emails(user_id, record.emails)
        elif not (record.username or record.identities or (kind == "sekisho" and record.id)):
            raise IdentifierMissing  # but for an export: a user may have lost all of them
        self._add_credentials(rows, user_id, record)
        if record.identities:
            refuse_many(record.identities, "identities", _MOST_IDENTITIES)
            own = set(values("email", "id", rows.get("email", ())))
            rows["identity"] = [self._identity(user_id, one, own) for one in record.identities]
        self._add_sessions(rows, user_id, record)
        return Prepared(number, user_id, record.id is not None, given, rows)

    def _times_given(self, record: UserRecord) -> dict[str, Any]:
        times = {
            name: self._time(moment)
            for name in ("created_at", "last_sign_in_at")
            if (moment := getattr(record, name)) is not None
        }
        version = record.metadata_version
        return times if version is None else {**times, "version": version}

    def _bags(self, record: UserRecord) -> dict[str, str]:
        found = {}
        limits = self.caps.public, self.caps.private, self.caps.unsafe
        for (bag, name, column), limit in zip(_BAGS, limits, strict=True):
            raw = getattr(record, name)
            if raw is not msgspec.UNSET:
                found[column] = bag_text(bag, bytes(raw), limit)
        return found

    def _emails(self, user_id: UUID, emails: Sequence[EmailRecord]) -> list[Row]:
        alone = len(emails) == 1
        if not alone:
            refuse_many(emails, "emails", max(MOST_EMAILS, self.config.email.limit))
        if not alone and sum(email.is_primary for email in emails) != 1:
            raise PrimaryEmailWrong(path=("emails",))
        longest = self.config.email.max_length
        rows = []
        for n, email in enumerate(emails):
            key = address_key(email.address, longest, ("emails", str(n), "address"))
            written = email.address.strip()
            times = self._time(email.created_at), self._time(email.updated_at)
            marks = alone or email.is_primary, email.is_verified
            rows.append((email.id or new_id(), user_id, written, key, *marks, *times))
        refuse_twice(values("email", "address_key", rows), "emails")
        return rows

    def _add_credentials(
        self, rows: dict[str, list[Row]], user_id: UUID, record: UserRecord
    ) -> None:
        if (password := record.password) is not None:
            if parse(password.hash).is_costly:
                raise PasswordHashTooCostly
            kept = (password.hash, password.imported, self._time(password.changed_at))
            rows["user_password"] = [(user_id, password.id or new_id(), *kept)]
        if record.webauthn_credentials:
            refuse_many(record.webauthn_credentials, "webauthn_credentials", _MOST_CREDENTIALS)
            found = [self._credential(user_id, one) for one in record.webauthn_credentials]
            ids = values("webauthn_credential", "credential_id", found)
            refuse_twice(ids, "webauthn_credentials")
            rows["webauthn_credential"] = found
        if record.totp is not None:
            rows["user_totp"] = [self._totp(user_id, record.totp)]
        if record.recovery_codes:
            refuse_many(record.recovery_codes, "recovery_codes", _MOST_CODES)
            rows["user_recovery_code"] = [
                (code.digest, user_id, self._time(code.created_at))
                for code in record.recovery_codes
            ]

    def _credential(self, user_id: UUID, found: CredentialRecord) -> Row:
        check_credential(found)
        used = found.last_used_at
        return (
            found.id or new_id(),
            user_id,
            found.credential_id,
            found.public_key,
            found.sign_count,
            found.aaguid,
            found.attestation_type,
            " ".join(found.transports),
            found.is_backup_eligible,
            found.is_backed_up,
            found.is_mfa_only,
            found.name,
            self._time(found.created_at),
            None if used is None else self._time(used),
        )

    def _totp(self, user_id: UUID, found: TotpRecord) -> Row:
        path = ("totp",)
        totp_id = found.id or new_id()
        if (found.sealed_secret is None) == (found.secret is None):
            raise EntryInvalid("Give the app's secret sealed or as base32.", path=path)
        if found.secret is not None:
            sealed = self.totp.sealed(totp_id, hanko.base32_of(found.secret))
        else:
            sealed = found.sealed_secret or ""
            if not self.totp.opens(totp_id, sealed):
                message = "The app's secret does not open under a secret of this server."
                raise EntryInvalid(message, path=path)
        return user_id, totp_id, sealed, found.last_step, self._time(found.created_at)

    def _identity(self, user_id: UUID, found: IdentityRecord, emails: set[UUID]) -> Row:
        sizes = (("provider", MOST_TEXT), ("issuer", MOST_ISSUER), ("subject", MOST_SUBJECT))
        for name, most in sizes:
            value = getattr(found, name)
            if not 0 < len(value) <= most or value != value.strip() or not is_printable(value):
                raise EntryInvalid(f"The {name} cannot be kept.", path=("identities", name))
        if found.email_id is not None and found.email_id not in emails:
            raise EntryInvalid(
                "An identity names an address that is not the user's.", path=("identities",)
            )
        used = found.last_sign_in_at
        return (
            found.id or new_id(),
            user_id,
            found.email_id,
            found.provider,
            found.issuer,
            found.subject,
            EMPTY_BAG if found.claims is msgspec.UNSET else claims_text(bytes(found.claims)),
            self._time(found.created_at),
            self._time(found.updated_at),
            None if used is None else self._time(used),
        )

    def _add_sessions(self, rows: dict[str, list[Row]], user_id: UUID, record: UserRecord) -> None:
        if record.sessions:
            refuse_many(record.sessions, "sessions", max(_MOST_SESSIONS, self.config.session.limit))
            rows["user_session"] = [
                (
                    one.id,
                    user_id,
                    one.ip_address and word(one.ip_address, "ip_address", 64),
                    shown(one.user_agent),
                    *(self._time(at) for at in (one.created_at, one.last_used_at, one.expires_at)),
                    one.refresh_count,
                    None if one.refreshed_at is None else self._time(one.refreshed_at),
                    methods_text(one.amr) if one.amr else None,
                    one.is_remembered,
                )
                for one in record.sessions
            ]
        if record.trusted_devices:
            refuse_many(record.trusted_devices, "trusted_devices", _MOST_DEVICES)
            rows["trusted_device"] = [
                (
                    one.id,
                    user_id,
                    one.digest,
                    shown(one.user_agent),
                    self._time(one.created_at),
                    self._time(one.expires_at),
                )
                for one in record.trusted_devices
            ]

    def _time(self, moment: datetime | None) -> datetime:
        if moment is None:
            return self.now
        try:
            in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        except OverflowError:
            raise EntryInvalid("A time lies outside of the years 1900 to 9998.") from None
        if in_utc.year not in STORABLE_YEARS:
            raise EntryInvalid("A time lies outside of the years 1900 to 9998.")
        return in_utc


def _profile(record: UserRecord, config: Config) -> dict[str, Any]:
    given = {
        name: value
        for name in ("username", *PROFILE)
        if (value := getattr(record, name)) is not None
    }
    return ProfileChanges(**given).checked(config.username) if given else {}


def problem_of(prepared: Prepared, error: IdentityError) -> Problem:
    """Say of an entry that keeps every rule why it cannot be written."""
    return Problem(prepared.number, prepared.user_id, error.code, error.message, error.path)
