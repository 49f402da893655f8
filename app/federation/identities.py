"""Who users are at providers: the rows, and what of an outside identity is kept.

An identity is found by provider, issuer and subject, and by nothing else (SEC-080).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app import strictjson
from app.clock import Clock
from app.federation.connector import OutsideIdentity
from app.federation.errors import IdentityNotFound, UserDataUnusable
from app.ids import new_id
from app.persistence import Row, fetch, fetch_row
from app.strictjson import Json
from app.text import email_key, is_printable, is_storable
from app.users import raise_stamp

MOST_SUBJECT = 512
MOST_ISSUER = 1024
_FIRST = ("name", "given_name", "family_name", "picture", "locale", "preferred_username")
_COLUMNS = (
    "id, user_id, email_id, provider, issuer, subject, claims, created_at, updated_at, "
    "last_sign_in_at"
)
_FIND = f"""
SELECT {_COLUMNS} FROM identity WHERE provider = $1 AND issuer = $2 AND subject = $3
"""
_ADD = f"""
INSERT INTO identity ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
ON CONFLICT (provider, issuer, subject) DO NOTHING RETURNING id
"""
_REFRESH = """
UPDATE identity SET email_id = $2, claims = $3, updated_at = $4,
    last_sign_in_at = COALESCE($5, last_sign_in_at)
WHERE id = $1
"""
_OWNERS = "SELECT user_id FROM identity WHERE provider = $1 AND subject = $2"
_OWNER = f"{_OWNERS} AND issuer = $3"
_REMOVE = f"DELETE FROM identity WHERE id = $1 AND user_id = $2 RETURNING {_COLUMNS}"
_OF = f"SELECT {_COLUMNS} FROM identity WHERE user_id = ANY($1) ORDER BY created_at, id"
_REMOVE_ALL = "DELETE FROM identity WHERE user_id = $1 RETURNING id"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a user is at a provider."""

    id: UUID
    user_id: UUID
    email_id: UUID | None
    provider: str
    issuer: str
    subject: str
    claims: str
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None

    @property
    def told_address(self) -> str | None:
        """The address that the provider told last."""
        address = strictjson.parse(self.claims.encode()).get("email")
        return address if isinstance(address, str) else None


@dataclass(frozen=True, slots=True)
class Identities:
    """Keeps identities; call what writes under the lock of the user's row."""

    clock: Clock

    async def find(self, outside: OutsideIdentity) -> Identity | None:
        """Find whose identity this is."""
        row = await fetch_row(_FIND, outside.provider, outside.issuer, outside.subject)
        return None if row is None else _identity(row)

    async def owner(self, provider: str, subject: str, issuer: str | None) -> UUID | None:
        """Find a user by what a provider calls them; without the issuer only where one vouches."""
        if not all(is_storable(part) for part in (provider, subject, issuer or "")):
            return None
        if issuer is None:
            rows = await fetch(_OWNERS, provider, subject)
        else:
            rows = await fetch(_OWNER, provider, subject, issuer)
        return rows[0]["user_id"] if len(rows) == 1 else None

    async def add(
        self, user_id: UUID, outside: OutsideIdentity, email_id: UUID | None, *, signs_in: bool
    ) -> Identity | None:
        """Keep a new identity of a user, or give None where somebody has it already."""
        identity_id, now = new_id(), self.clock()
        added = await fetch(
            _ADD,
            identity_id,
            user_id,
            email_id,
            outside.provider,
            outside.issuer,
            outside.subject,
            _written(outside),
            now,
            now if signs_in else None,
        )
        if not added:
            return None
        await raise_stamp(user_id)
        return await self.find(outside)

    async def refresh(
        self, known: Identity, outside: OutsideIdentity, email_id: UUID | None, *, signs_in: bool
    ) -> Identity:
        """Write what the provider says now."""
        now = self.clock()
        at = now if signs_in else None
        claims = _written(outside)
        await fetch(_REFRESH, known.id, email_id, claims, now, at)
        return replace(
            known,
            email_id=email_id,
            claims=claims,
            updated_at=now,
            last_sign_in_at=at or known.last_sign_in_at,
        )

    async def of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, list[Identity]]:
        """Read the identities of some users, in one statement, oldest first."""
        found: dict[UUID, list[Identity]] = {user_id: [] for user_id in user_ids}
        if not found:
            return found
        rows = await fetch(_OF, [*found])
        for row in rows:
            found[row["user_id"]].append(_identity(row))
        return found

    async def remove(self, user_id: UUID, identity_id: UUID) -> Identity:
        """Forget an identity of a user.

        Raises:
            IdentityNotFound: The user has no such identity.
        """
        removed = await fetch(_REMOVE, identity_id, user_id)
        if not removed:
            raise IdentityNotFound
        await raise_stamp(user_id)
        return _identity(removed[0])

    async def remove_all(self, user_id: UUID) -> int:
        """Forget every identity of a user, and say how many there were."""
        count = len(await fetch(_REMOVE_ALL, user_id))
        if count:
            await raise_stamp(user_id)
        return count


def checked(outside: OutsideIdentity) -> OutsideIdentity:
    """Give an outside identity as it may be kept: what a provider says is anybody's text.

    An address that is none is left out.

    Raises:
        UserDataUnusable: Who it is cannot be told apart or stored.
    """
    keys = ((outside.issuer, MOST_ISSUER), (outside.subject, MOST_SUBJECT))
    for value, most in keys:
        if not 0 < len(value) <= most or value != value.strip() or not is_printable(value):
            raise UserDataUnusable
    address = (outside.email or "").strip()
    is_address = email_key(address) is not None
    return replace(
        outside,
        email=address if is_address else None,
        email_verified=is_address and outside.email_verified is True,
    )


def fitted(claims: Mapping[str, Json], room: int) -> dict[str, Json]:
    """Keep the claims that fit into so many bytes of JSON, those of a profile first."""
    ordered = [name for name in _FIRST if name in claims]
    ordered += [name for name in claims if name not in _FIRST]
    kept: dict[str, Json] = {}
    for name in ordered:
        size = _size(name, claims[name])
        if size is not None and size <= room:
            kept[name] = claims[name]
            room -= size
    return kept


def _size(name: str, value: Json) -> int | None:
    """Measure a claim with its comma, or give None for what no JSON can hold."""
    try:
        written = strictjson.encode_bytes({name: value})
    except (TypeError, ValueError, RecursionError):
        return None
    is_kept = strictjson.depth(value) <= strictjson.MAX_DEPTH and b"\\u0000" not in written
    return len(written) if is_kept else None


def _written(outside: OutsideIdentity) -> str:
    """Write the claims, with the address as it was told: a later one is compared with it."""
    told = {"email": outside.email} if outside.email else {}
    return strictjson.encode({**outside.claims, **told})


def _identity(row: Row) -> Identity:
    return Identity(**row)
