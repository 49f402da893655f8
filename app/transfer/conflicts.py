"""What of an entry there may be once, and whose it is already."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.errors import IdentityError
from app.persistence import fetch
from app.transfer.errors import EntryTaken
from app.transfer.rows import Prepared, values
from app.users.errors import EmailTaken, UserExists, UsernameTaken

# The table, its column that is unique, and the column that says whose the row is.
_ONCE = (
    ("app_user", "id", "id"),
    ("app_user", "username_key", "id"),
    ("email", "address_key", "user_id"),
    ("email", "id", "user_id"),
    ("webauthn_credential", "credential_id", "user_id"),
    ("webauthn_credential", "id", "user_id"),
    ("user_recovery_code", "digest", "user_id"),
    ("identity", "id", "user_id"),
    ("user_session", "id", "user_id"),
    ("trusted_device", "id", "user_id"),
    ("trusted_device", "digest", "user_id"),
)
_SUBJECTS = "SELECT provider, issuer, subject, user_id FROM identity WHERE subject = ANY($1)"
_RETIRED = "retired_user"
_IDENTITY = "identity"
_REFUSALS: Mapping[tuple[str, str], type[IdentityError]] = {
    ("app_user", "id"): UserExists,
    (_RETIRED, "id"): UserExists,
    ("app_user", "username_key"): UsernameTaken,
    ("email", "address_key"): EmailTaken,
}
_PATHS = {
    ("app_user", "id"): ("id",),
    (_RETIRED, "id"): ("id",),
    ("app_user", "username_key"): ("username",),
    ("email", "address_key"): ("emails",),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something of an entry that there may be once."""

    table: str
    column: str
    value: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """A claim that somebody has; nobody owns what is gone for good, or stands in the same batch."""

    claim: Claim
    owner: UUID | None

    @property
    def error(self) -> IdentityError:
        """Give what is told of it."""
        key = (self.claim.table, self.claim.column)
        leaf = _REFUSALS.get(key, EntryTaken)
        return leaf() if leaf is UserExists else leaf(path=_PATHS.get(key, (self.claim.table,)))


async def conflicts_of(batch: Sequence[Prepared]) -> dict[int, list[Conflict]]:
    """Find for each entry what is taken: in the database, or by an entry before it."""
    claims = {prepared.number: list(_claims(prepared)) for prepared in batch}
    owners = await _owners(claim for some in claims.values() for claim in some)
    found: dict[int, list[Conflict]] = {}
    seen: set[Claim] = set()
    for number, some in claims.items():
        taken = [
            Conflict(claim, owners.get(claim)) for claim in some if claim in owners or claim in seen
        ]
        if taken:
            found[number] = taken
        else:
            seen.update(some)
    return found


async def retired_among(user_ids: Sequence[UUID]) -> set[UUID]:
    """Say which ids belonged to users who were deleted: they are never given out (SEC-122)."""
    rows = await fetch("SELECT id FROM retired_user WHERE id = ANY($1)", [*user_ids])
    return {row["id"] for row in rows}


def _claims(prepared: Prepared) -> Iterator[Claim]:
    for table, column, _ in _ONCE:
        for value in values(table, column, prepared.rows.get(table, ())):
            if value is not None:
                yield Claim(table, column, value)
    yield Claim(_RETIRED, "id", prepared.user_id)
    identities = prepared.rows.get(_IDENTITY, ())
    keys = (values(_IDENTITY, name, identities) for name in ("provider", "issuer", "subject"))
    for key in zip(*keys, strict=True):
        yield Claim(_IDENTITY, "subject", key)


async def _owners(claims: Iterable[Claim]) -> dict[Claim, UUID | None]:
    claimed: dict[tuple[str, str], list[Any]] = {}
    for claim in claims:
        claimed.setdefault((claim.table, claim.column), []).append(claim.value)
    owners: dict[Claim, UUID | None] = {}
    for table, column, owner in _ONCE:
        wanted = claimed.get((table, column))
        if wanted:
            rows = await fetch(
                f"SELECT {column} AS taken, {owner} AS owner FROM {table} WHERE {column} = ANY($1)",
                wanted,
            )
            owners |= {Claim(table, column, row["taken"]): row["owner"] for row in rows}
    for user_id in await retired_among(claimed.get((_RETIRED, "id"), [])):
        owners[Claim(_RETIRED, "id", user_id)] = None
    return owners | await _owners_of_identities(claimed.get((_IDENTITY, "subject"), []))


async def _owners_of_identities(keys: Sequence[tuple[str, str, str]]) -> dict[Claim, UUID | None]:
    if not keys:
        return {}
    rows = await fetch(_SUBJECTS, [subject for _, _, subject in keys])
    taken = {(row["provider"], row["issuer"], row["subject"]): row["user_id"] for row in rows}
    return {Claim(_IDENTITY, "subject", key): taken[key] for key in keys if key in taken}
