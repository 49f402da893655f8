"""The use cases of sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from app import strictjson
from app.access import Actor, Origin, SessionFault, SessionPrincipal
from app.audit import AuditLog, Event
from app.clock import Clock
from app.config import sections
from app.ids import new_id
from app.keys import TokenInvalid
from app.paging import Page, PageRequest
from app.persistence import Row, fetch, fetch_composed, transaction
from app.sessions.claims import TokenClaims, are_same
from app.sessions.refresh_tokens import RefreshToken, RefreshTokens
from app.sessions.tables import SessionRow
from app.sessions.tokens import SessionTokens, TokenExpired
from app.sessions.values import (
    NOBODY_SIGNED_IN,
    Draft,
    Issued,
    Session,
    SessionNotFound,
    SignedIn,
    SignIn,
    signed_in_of,
    signed_in_row,
    told,
)
from app.sweeping import in_parts
from app.users import raise_stamp
from app.users.errors import UserNotFound
from app.users.locking import lock_user_or_refuse
from app.webhooks import EventName, Events

_COLUMNS = (
    "id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at, is_remembered"
)
_INSERT = f"""
INSERT INTO user_session ({_COLUMNS}, amr, refresh_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)
"""
_EVICT = f"""
DELETE FROM user_session WHERE user_id = $1 AND (expires_at <= $2 OR id NOT IN (
    SELECT id FROM user_session WHERE user_id = $1 AND expires_at > $2
    ORDER BY created_at DESC, id DESC LIMIT $3))
RETURNING {_COLUMNS}
"""
_SHOWN = [getattr(SessionRow, name) for name in Session.__slots__]
_TOUCH = "UPDATE user_session SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2"
_SWEEP = """
DELETE FROM user_session WHERE id IN (
    SELECT id FROM user_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
RETURNING id
"""
_IDLE = f"""
DELETE FROM user_session WHERE id IN (
    SELECT id FROM user_session WHERE last_used_at < $1 ORDER BY last_used_at LIMIT $2)
    AND last_used_at < $1
RETURNING {_COLUMNS}
"""
_SWEPT_AT_ONCE = 500
KEPT = timedelta(days=1)
"""How long a session that has expired is kept: much longer than clocks may differ."""

IDLE_KEPT = timedelta(minutes=5)
"""The same of one that was not used for too long, whose end receivers want to know of."""

_TOUCH_EVERY = timedelta(seconds=60)
_IDLE_END: EventName = "session.delete.passive.expire"
_USER_AGENT_KEPT = 400


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions are rows; a token is only as good as its row."""

    config: sections.Session
    tokens: SessionTokens
    refresh_tokens: RefreshTokens
    claims: TokenClaims
    audit: AuditLog
    events: Events
    clock: Clock

    async def authenticate(
        self, token: str, *, touch: bool = True, with_subject: bool = False
    ) -> SignedIn | SessionFault:
        """Give the live session a token stands for, or what is wrong with it.

        Args:
            token: The token as the request bears it.
            touch: Whether this counts as use of the session.
            with_subject: Whether what the current claims are made from is read as well.
        """
        try:
            verified = await self.tokens.read(token)
        except TokenExpired:
            return "expired"
        except TokenInvalid:
            return "invalid"
        row = await signed_in_row(verified.session_id, with_subject=with_subject)
        if row is None:
            return "revoked"
        if row["user_id"] != verified.user_id:
            return "invalid"
        now = self.clock()
        if self.has_ended(row["expires_at"], row["last_used_at"], now):
            return "expired"
        if touch and now - row["last_used_at"] >= self._touch_every():
            await fetch(_TOUCH, verified.session_id, now)
        return signed_in_of(verified.session_id, row, verified.claims, with_subject=with_subject)

    async def issue(
        self,
        actor: Actor,
        user_id: UUID,
        origin: Origin | None = None,
        sign_in: SignIn = NOBODY_SIGNED_IN,
    ) -> Issued:
        """Begin a session and end the oldest ones beyond the limit (SEC-029).

        The token is signed first: where that cannot be done no session is lost for it.

        Args:
            actor: On whose behalf; the audit record names it.
            user_id: Whose session.
            origin: The person's address and user agent, as far as they are known.
            sign_in: How the person has signed in, where one has.

        Raises:
            UserNotFound: There is no such user.
            SignerUnavailable: The token cannot be signed.
        """
        draft = await self.draft(user_id, origin or Origin(), sign_in)
        return await self.begin(actor, await self.sign(draft), sign_in)

    @property
    def signs_here(self) -> bool:
        """Say whether tokens are signed in this process, so that nobody else is asked for it."""
        return self.tokens.keys.signs_here

    async def draft(self, user_id: UUID, origin: Origin, sign_in: SignIn) -> Draft:
        """Say what the token of a session that is about to begin will claim.

        Raises:
            UserNotFound: There is no such user.
        """
        session = self._new(user_id, origin, remember=sign_in.remember)
        draft = await self.draft_of(session, session.created_at, sign_in.amr)
        if draft is None:
            raise UserNotFound
        return draft

    async def draft_of(self, session: Session, now: datetime, amr: tuple[str, ...]) -> Draft | None:
        """Put together what a session's token claims; None where there is no such user any more."""
        lifespan = self.config.access_token_lifespan
        expires_at = min(now + lifespan, session.expires_at) if lifespan else session.expires_at
        identity = {"sub": str(session.user_id), "session_id": str(session.id)}
        claims = {**identity, **self.tokens.times(now, expires_at)}
        if amr:
            claims["amr"] = list(amr)
        complete = await self.claims.of(session.user_id, claims)
        if complete is None:
            return None
        return Draft(session, complete, now, expires_at)

    async def sign(self, draft: Draft) -> Issued:
        """Sign the first token of a session; no row is touched, and it may go over a network.

        Raises:
            SignerUnavailable: The token cannot be signed.
        """
        session, now = draft.session, draft.issued_at
        token = await self.tokens.mint(draft.claims)
        if not self.config.access_token_lifespan:
            return Issued(session, token, now, draft.expires_at)
        refresh = self.refresh_tokens.write(RefreshToken(session.id, count=0))
        return Issued(session, token, now, draft.expires_at, refresh)

    async def begin(self, actor: Actor, issued: Issued, sign_in: SignIn) -> Issued:
        """Begin the session of a signed token, and end the oldest ones beyond the limit (SEC-029).

        Raises:
            UserNotFound: There is no such user.
        """
        session, user_id = issued.session, issued.session.user_id
        async with transaction():
            await lock_user_or_refuse(user_id)
            # Under the lock, so that who comes later is also the newer.
            now = max(self.clock(), session.created_at)
            session = replace(session, created_at=now, last_used_at=now)
            for row in await fetch(_EVICT, user_id, now, self.config.limit - 1):
                if row["expires_at"] > now:
                    idle = self.has_ended(row["expires_at"], row["last_used_at"], now)
                    why: EventName = "session.delete.passive.limit"
                    await self._tell(_IDLE_END if idle else why, Session(**row))
            if sign_in.replacing is not None:
                await self._end_former(actor, sign_in.replacing)
            columns = (getattr(session, name) for name in Session.__slots__)
            methods = strictjson.encode(sign_in.amr) if sign_in.amr else None
            await fetch(_INSERT, *columns, methods)
            details = {"session_id": str(session.id)}
            await self.audit.record("session_created", actor, subject=user_id, details=details)
            is_admin = sign_in == NOBODY_SIGNED_IN
            if is_admin and actor.secret_key is not None:
                by_key = {"api": "admin"}
                await self.audit.record("login_success", actor, subject=user_id, details=by_key)
            name: EventName = "session.create.admin" if is_admin else "session.create.flow"
            await self._tell(name, session)
        return replace(issued, session=session)

    async def renew(self, signed_in: SignedIn, current: dict[str, Any]) -> Issued | None:
        """Mint a token with the current claims, or none where the token has them already.

        It ends when the old one does: what is renewed are the claims, not the session (SEC-028).
        """
        if are_same(current, signed_in.claims):
            return None
        now = self.clock()
        token = await self.tokens.mint({**current, "iat": int(now.timestamp())})
        expires_at = datetime.fromtimestamp(current["exp"], UTC)
        return Issued(signed_in.session, token, now, expires_at)

    async def end(self, actor: Actor, user_id: UUID, session_id: UUID, event: Event) -> None:
        """End one session of a user (SEC-025).

        Raises:
            SessionNotFound: The user has no such session.
        """
        async with transaction():
            mine = (SessionRow.id == session_id) & (SessionRow.user_id == user_id)
            ended = await SessionRow.delete().where(mine).returning(*_SHOWN)
            if not ended:
                raise SessionNotFound
            details = {"session_id": str(session_id)}
            await self.audit.record(event, actor, subject=user_id, details=details)
            await self._tell_end(actor, event, ended)

    async def end_all(self, actor: Actor, user_id: UUID, *, keep: UUID | None = None) -> int:
        """End the sessions of a user, but for one where it is named, and say how many.

        Raises:
            UserNotFound: There is no such user.
        """
        async with transaction():
            await lock_user_or_refuse(user_id)
            query = SessionRow.delete().where(SessionRow.user_id == user_id)
            if keep is not None:
                query = query.where(SessionRow.id != keep)
            ended = await query.returning(*_SHOWN)
            await raise_stamp(user_id)
            await self.audit.record(
                "sessions_revoked", actor, subject=user_id, details={"count": len(ended)}
            )
            await self._tell_end(actor, "sessions_revoked", ended)
        return len(ended)

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

    def has_ended(self, expires_at: datetime, last_used_at: datetime, now: datetime) -> bool:
        """Say whether a session of these times is over."""
        timeout = self.config.idle_timeout
        return expires_at <= now or (bool(timeout) and now - last_used_at > timeout)

    def idle_end(self, session: Session) -> datetime | None:
        """Say when a session ends if it is not used again; None without an idle timeout."""
        if not self.config.idle_timeout:
            return None
        return min(session.last_used_at + self.config.idle_timeout, session.expires_at)

    async def sweep(self) -> None:
        """Remove the sessions that have long expired, the oldest first and a part at a time."""
        await in_parts(_SWEEP, self.clock() - KEPT)

    async def sweep_idle(self) -> None:
        """Remove the sessions that were not used for too long, a part at a time, and tell of each.

        One that has reached its end is told of nowhere: when that is, its beginning has told.
        """
        over = self.idle_since()
        while over is not None:
            async with transaction():
                ended = await fetch(_IDLE, over, _SWEPT_AT_ONCE)
                for row in ended:
                    await self._tell(_IDLE_END, Session(**row))
            if len(ended) < _SWEPT_AT_ONCE:
                break

    def idle_since(self) -> datetime | None:
        """Say since when a session is not used that is swept; None without an idle timeout."""
        timeout = self.config.idle_timeout
        return self.clock() - timeout - IDLE_KEPT if timeout else None

    async def _end_former(self, actor: Actor, former: SessionPrincipal) -> None:
        ended = await SessionRow.delete().where(SessionRow.id == former.id).returning(*_SHOWN)
        if ended:
            details = {"session_id": str(former.id)}
            await self.audit.record(
                "session_revoked", actor, subject=former.user_id, details=details
            )
            await self._tell_end(actor, "session_revoked", ended)

    async def _tell_end(self, actor: Actor, event: Event, ended: Sequence[Row]) -> None:
        """Tell webhooks of sessions that have ended, and by whose wish."""
        is_person = actor.session is not None or bool(actor.origin.request_id)
        name: EventName = "session.delete.explicit.revoke"
        if event == "user_logged_out":
            name = "session.delete.explicit.logout"
        elif actor.secret_key is not None or not is_person:
            name = "session.delete.admin.revoke"
        for row in ended:
            await self._tell(name, Session(**row))

    async def _tell(self, name: EventName, session: Session) -> None:
        await self.events.record(name, told(session), user_id=session.user_id)

    def _touch_every(self) -> timedelta:
        timeout = self.config.idle_timeout
        return min(_TOUCH_EVERY, timeout / 10) if timeout else _TOUCH_EVERY

    def _new(self, user_id: UUID, origin: Origin, *, remember: bool) -> Session:
        now = self.clock()
        keep_address, keep_agent = self.config.acquire_ip_address, self.config.acquire_user_agent
        return Session(
            id=new_id(),
            user_id=user_id,
            ip_address=origin.address or None if keep_address else None,
            user_agent=origin.user_agent[:_USER_AGENT_KEPT] or None if keep_agent else None,
            created_at=now,
            last_used_at=now,
            expires_at=now + self.config.lifespan,
            is_remembered=remember,
        )
