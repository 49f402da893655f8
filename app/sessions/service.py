"""The use cases of sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from piccolo.querystring import QueryString

from app.access import Actor, Origin, SessionFault
from app.audit import AuditLog, Event
from app.clock import Clock
from app.config import sections
from app.errors import NotFound
from app.ids import new_id
from app.keys import TokenInvalid
from app.metadata import Bags
from app.persistence import Row, fetch, fetch_composed, fetch_row, transaction
from app.sessions.tables import SessionRow
from app.sessions.tokens import SessionTokens, TokenExpired
from app.users import Account, Users
from app.users.paging import Page, PageRequest

_COLUMNS = "id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at"
_SIGNED_IN = """
SELECT s.user_id, s.ip_address, s.user_agent, s.created_at AS started_at, s.last_used_at,
       s.expires_at, u.username, u.name, u.given_name, u.family_name, u.picture, u.locale,
       u.created_at, u.updated_at, u.last_sign_in_at, m.public_bag, m.unsafe_bag, m.version
FROM user_session s
JOIN app_user u ON u.id = s.user_id
JOIN user_metadata m ON m.user_id = s.user_id
WHERE s.id = $1
"""
_LOCK_USER = "SELECT id, username FROM app_user WHERE id = $1 FOR UPDATE"
_EVICT = """
DELETE FROM user_session WHERE user_id = $1 AND (expires_at <= $2 OR id NOT IN (
    SELECT id FROM user_session WHERE user_id = $1 AND expires_at > $2
    ORDER BY created_at DESC, id DESC LIMIT $3))
"""
_TOUCH = "UPDATE user_session SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2"
_TOUCH_EVERY = timedelta(seconds=60)
_USER_AGENT_KEPT = 400


class SessionNotFound(NotFound):
    """No such session, or not this user's."""

    message = "There is no such session."

    def __init__(self) -> None:
        super().__init__(path=("session_id",))


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands."""

    id: UUID
    user_id: UUID
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session with its user, read in one statement; the private bag is not among it."""

    session: Session
    account: Account
    bags: Bags
    claims: dict[str, object]


@dataclass(frozen=True, slots=True)
class Issued:
    """A new session and the token that stands for it."""

    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions are rows; a token is only as good as its row."""

    config: sections.Session
    tokens: SessionTokens
    users: Users
    audit: AuditLog
    clock: Clock

    async def authenticate(self, token: str, *, touch: bool = True) -> SignedIn | SessionFault:
        """Give the live session a token stands for, or what is wrong with it.

        Args:
            token: The token as the request bears it.
            touch: Whether this counts as use of the session.
        """
        try:
            verified = await self.tokens.read(token)
        except TokenExpired:
            return "expired"
        except TokenInvalid:
            return "invalid"
        row = await fetch_row(_SIGNED_IN, verified.session_id)
        if row is None:
            return "revoked"
        if row["user_id"] != verified.user_id:
            return "invalid"
        now = self.clock()
        if row["expires_at"] <= now or self._is_idle(row["last_used_at"], now):
            return "expired"
        if touch and now - row["last_used_at"] >= self._touch_every():
            await fetch(_TOUCH, verified.session_id, now)
        return _signed_in(verified.session_id, row, verified.claims)

    async def issue(self, actor: Actor, user_id: UUID, origin: Origin | None = None) -> Issued:
        """Begin a session and end the oldest ones beyond the limit (SEC-029).

        Args:
            actor: On whose behalf; the audit record names it.
            user_id: Whose session.
            origin: The person's address and user agent, as far as they are known.

        Raises:
            NotFound: There is no such user.
        """
        async with transaction():
            rows = await fetch(_LOCK_USER, user_id)
            if not rows:
                raise NotFound("There is no such user.", path=("user_id",))
            now = self.clock()  # under the lock, so that who comes later is also the newer
            await fetch(_EVICT, user_id, now, self.config.limit - 1)
            session = self._new(user_id, origin or Origin(), now)
            await SessionRow.insert(
                SessionRow(**{name: getattr(session, name) for name in Session.__slots__})
            )
            claims = await self._claims(session, rows[0]["username"])
            details = {"session_id": str(session.id)}
            await self.audit.record("session_created", actor, subject=user_id, details=details)
        return Issued(session, self.tokens.mint(claims, now, session.expires_at))

    async def end(self, actor: Actor, user_id: UUID, session_id: UUID, event: Event) -> None:
        """End one session of a user (SEC-025).

        Raises:
            SessionNotFound: The user has no such session.
        """
        async with transaction():
            mine = (SessionRow.id == session_id) & (SessionRow.user_id == user_id)
            if not await SessionRow.delete().where(mine).returning(SessionRow.id):
                raise SessionNotFound
            details = {"session_id": str(session_id)}
            await self.audit.record(event, actor, subject=user_id, details=details)

    async def end_all(self, actor: Actor, user_id: UUID, *, keep: UUID | None = None) -> int:
        """End the sessions of a user, but for one where it is named, and say how many.

        Raises:
            NotFound: There is no such user.
        """
        async with transaction():
            if not await fetch(_LOCK_USER, user_id):
                raise NotFound("There is no such user.", path=("user_id",))
            query = SessionRow.delete().where(SessionRow.user_id == user_id)
            if keep is not None:
                query = query.where(SessionRow.id != keep)
            ended = len(await query.returning(SessionRow.id))
            await self.audit.record(
                "sessions_revoked", actor, subject=user_id, details={"count": ended}
            )
        return ended

    async def pages_of(
        self, user_ids: Sequence[UUID], asked: PageRequest
    ) -> Mapping[UUID, Page[Session]]:
        """List the live sessions of some users, newest first, in one statement."""
        if not user_ids:
            return {}
        parts = [QueryString("expires_at > {}", self.clock())]
        ids = QueryString(", ".join("{}" for _ in user_ids), *user_ids)
        parts.append(QueryString("user_id IN ({})", ids))
        if asked.beyond is not None:
            at, last = asked.beyond.at, asked.beyond.id
            sql = "(created_at < {} OR (created_at = {} AND id < {}))"
            parts.append(QueryString(sql, at, at, last))
        rows = await fetch_composed(
            QueryString(
                f"SELECT {_COLUMNS} FROM (SELECT {_COLUMNS}, ROW_NUMBER() OVER (PARTITION BY "
                "user_id ORDER BY created_at DESC, id DESC) AS place FROM user_session WHERE "
                f"{' AND '.join('{}' for _ in parts)}) AS ranked WHERE place <= {{}} "
                "ORDER BY user_id, created_at DESC, id DESC",
                *parts,
                asked.size + 1,
            )
        )
        found: dict[UUID, list[Session]] = {user_id: [] for user_id in user_ids}
        for row in rows:
            found[row["user_id"]].append(Session(**row))
        return {user_id: Page.of(sessions, asked) for user_id, sessions in found.items()}

    def idle_end(self, session: Session) -> datetime | None:
        """Say when a session ends if it is not used again; None without an idle timeout."""
        if not self.config.idle_timeout:
            return None
        return min(session.last_used_at + self.config.idle_timeout, session.expires_at)

    def _is_idle(self, last_used_at: datetime, now: datetime) -> bool:
        timeout = self.config.idle_timeout
        return bool(timeout) and now - last_used_at > timeout

    def _touch_every(self) -> timedelta:
        timeout = self.config.idle_timeout
        return min(_TOUCH_EVERY, timeout / 10) if timeout else _TOUCH_EVERY

    def _new(self, user_id: UUID, origin: Origin, now: datetime) -> Session:
        keep_address, keep_agent = self.config.acquire_ip_address, self.config.acquire_user_agent
        return Session(
            id=new_id(),
            user_id=user_id,
            ip_address=origin.address or None if keep_address else None,
            user_agent=origin.user_agent[:_USER_AGENT_KEPT] or None if keep_agent else None,
            created_at=now,
            last_used_at=now,
            expires_at=now + self.config.lifespan,
        )

    async def _claims(self, session: Session, username: str | None) -> dict[str, object]:
        claims: dict[str, object] = {
            "sub": str(session.user_id),
            "session_id": str(session.id),
        }
        emails = (await self.users.emails_of([session.user_id]))[session.user_id]
        primary = next((email for email in emails if email.is_primary), None)
        if primary is not None:
            claims["email"] = {
                "address": primary.address,
                "is_primary": True,
                "is_verified": primary.is_verified,
            }
        if username is not None:
            claims["username"] = username
        return claims


def _signed_in(session_id: UUID, row: Row, claims: dict[str, object]) -> SignedIn:
    user_id = row["user_id"]
    return SignedIn(
        session=Session(
            session_id,
            user_id,
            row["ip_address"],
            row["user_agent"],
            row["started_at"],
            row["last_used_at"],
            row["expires_at"],
        ),
        account=Account(
            user_id,
            row["username"],
            row["name"],
            row["given_name"],
            row["family_name"],
            row["picture"],
            row["locale"],
            row["created_at"],
            row["updated_at"],
            row["last_sign_in_at"],
        ),
        bags=Bags(user_id, row["public_bag"], row["unsafe_bag"], None, row["version"]),
        claims=claims,
    )
