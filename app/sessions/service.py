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
from app.errors import NotFound
from app.ids import new_id
from app.keys import TokenInvalid
from app.paging import Page, PageRequest
from app.persistence import Row, fetch, fetch_composed, transaction
from app.sessions.claims import TokenClaims, are_same
from app.sessions.refreshing import RefreshToken, RefreshTokenInvalid, RefreshTokens
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
from app.users import raise_stamp
from app.users.locking import lock_user
from app.webhooks import EventName, Events

_COLUMNS = (
    "id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at, is_remembered"
)
_SESSION = f"SELECT {_COLUMNS}, amr FROM user_session WHERE id = $1"
_LOCK_SESSION = f"""
SELECT {_COLUMNS}, refresh_count, refreshed_at FROM user_session WHERE id = $1 FOR UPDATE
"""
_COUNT_REFRESH = """
UPDATE user_session SET refresh_count = refresh_count + 1, refreshed_at = $2, last_used_at = $2
WHERE id = $1
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
_REFRESH_GRACE = timedelta(seconds=30)


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
        if self._has_ended(row["expires_at"], row["last_used_at"], now):
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
            NotFound: There is no such user.
            SignerUnavailable: The token cannot be signed.
        """
        draft = await self.draft(user_id, origin or Origin(), sign_in)
        return await self.begin(actor, await self.sign(draft), sign_in)

    async def draft(self, user_id: UUID, origin: Origin, sign_in: SignIn) -> Draft:
        """Say what the token of a session that is about to begin will claim.

        Raises:
            NotFound: There is no such user.
        """
        session = self._new(user_id, origin, remember=sign_in.remember)
        draft = await self._draft(session, session.created_at, sign_in.amr, refreshed=0)
        if draft is None:
            raise _no_such_user()
        return draft

    async def sign(self, draft: Draft) -> Issued:
        """Sign the token of a draft; no row is read or written, and it may go over a network.

        Raises:
            SignerUnavailable: The token cannot be signed.
        """
        session, now = draft.session, draft.issued_at
        token = await self.tokens.mint(draft.claims)
        if not self.config.access_token_lifespan:
            return Issued(session, token, now, draft.expires_at)
        refresh = self.refresh_tokens.write(RefreshToken(session.id, draft.refreshed))
        return Issued(session, token, now, draft.expires_at, refresh)

    async def begin(self, actor: Actor, issued: Issued, sign_in: SignIn) -> Issued:
        """Begin the session of a signed token, and end the oldest ones beyond the limit (SEC-029).

        Raises:
            NotFound: There is no such user.
        """
        session, user_id = issued.session, issued.session.user_id
        async with transaction():
            await self._lock_user(user_id)
            # Under the lock, so that who comes later is also the newer.
            now = max(self.clock(), session.created_at)
            session = replace(session, created_at=now, last_used_at=now)
            for row in await fetch(_EVICT, user_id, now, self.config.limit - 1):
                if row["expires_at"] > now:
                    idle = self._has_ended(row["expires_at"], row["last_used_at"], now)
                    why: EventName = "session.delete.passive.limit"
                    await self._tell(_IDLE_END if idle else why, Session(**row))
            if sign_in.replacing is not None:
                await self._end_former(actor, sign_in.replacing)
            columns = {name: getattr(session, name) for name in Session.__slots__}
            methods = strictjson.encode(sign_in.amr) if sign_in.amr else None
            await SessionRow.insert(SessionRow(**columns, amr=methods))
            details = {"session_id": str(session.id)}
            await self.audit.record("session_created", actor, subject=user_id, details=details)
            is_admin = sign_in == NOBODY_SIGNED_IN
            name: EventName = "session.create.admin" if is_admin else "session.create.flow"
            await self._tell(name, session)
        return replace(issued, session=session)

    async def exchange(self, actor: Actor, text: str) -> Issued:
        """Exchange a refresh token for a new token and a new refresh token.

        The last token that was exchanged gives the same successor again for 30 seconds, for answers
        that were lost and for several windows of a browser. Exchanged later, or when its successor
        has been exchanged too, it is in two hands: the session ends (RFC 9700 §4.14.2).

        Raises:
            RefreshTokenInvalid: It is none of ours, its session has ended, or it was used before.
            SignerUnavailable: The new token cannot be signed; the old one is as good as before.
        """
        if not self.config.access_token_lifespan:
            raise RefreshTokenInvalid
        presented = self.refresh_tokens.read(text)
        issued = await self._prepared(presented)
        async with transaction():
            rows = await fetch(_LOCK_SESSION, presented.session_id)
            now = self.clock()
            count = await self._counted(actor, presented, rows[0], now) if rows else None
        if count is None or issued is None:
            raise RefreshTokenInvalid
        refresh = self.refresh_tokens.write(RefreshToken(presented.session_id, count))
        return replace(issued, refresh_token=refresh)

    async def end_refreshed(self, actor: Actor, text: str) -> None:
        """End the session of a refresh token: signing out, whose token may have expired.

        Raises:
            RefreshTokenInvalid: It is none of ours, or its session has ended.
        """
        presented = self.refresh_tokens.read(text)
        rows = await fetch(_SESSION, presented.session_id)
        if not rows:
            raise RefreshTokenInvalid
        try:
            await self.end(actor, rows[0]["user_id"], presented.session_id, "user_logged_out")
        except SessionNotFound:
            raise RefreshTokenInvalid from None

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
            NotFound: There is no such user.
        """
        async with transaction():
            await self._lock_user(user_id)
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

    def idle_end(self, session: Session) -> datetime | None:
        """Say when a session ends if it is not used again; None without an idle timeout."""
        if not self.config.idle_timeout:
            return None
        return min(session.last_used_at + self.config.idle_timeout, session.expires_at)

    async def sweep(self) -> None:
        """Remove the sessions that have long expired, the oldest first and a part at a time."""
        over = self.clock() - KEPT
        while len(await fetch(_SWEEP, over, _SWEPT_AT_ONCE)) == _SWEPT_AT_ONCE:
            continue

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

    async def _lock_user(self, user_id: UUID) -> None:
        if not await lock_user(user_id):
            raise _no_such_user()

    async def _counted(
        self, actor: Actor, presented: RefreshToken, row: Row, now: datetime
    ) -> int | None:
        """Count a refresh, and give the count that the new refresh token bears; None to refuse."""
        if self._has_ended(row["expires_at"], row["last_used_at"], now):
            return None
        count: int = row["refresh_count"]
        if presented.count == count:
            await fetch(_COUNT_REFRESH, row["id"], now)
            return count + 1
        if presented.count == count - 1 and now - row["refreshed_at"] <= _REFRESH_GRACE:
            return count
        await SessionRow.delete().where(SessionRow.id == row["id"])
        details = {"session_id": str(row["id"])}
        await self.audit.record(
            "session_refresh_reused", actor, subject=row["user_id"], details=details
        )
        return None

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

    async def _prepared(self, presented: RefreshToken) -> Issued | None:
        """Sign the token that a refresh token may be exchanged for, before anything is counted."""
        rows = await fetch(_SESSION, presented.session_id)
        if not rows:
            return None
        now = self.clock()
        columns = {name: rows[0][name] for name in Session.__slots__}
        session = Session(**columns | {"last_used_at": now})
        amr = tuple(strictjson.parse(rows[0]["amr"].encode())) if rows[0]["amr"] else ()
        draft = await self._draft(session, now, amr, refreshed=presented.count)
        return None if draft is None else await self.sign(draft)

    async def _draft(
        self, session: Session, now: datetime, amr: tuple[str, ...], *, refreshed: int
    ) -> Draft | None:
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
        return Draft(session, complete, now, expires_at, refreshed)

    def _has_ended(self, expires_at: datetime, last_used_at: datetime, now: datetime) -> bool:
        timeout = self.config.idle_timeout
        return expires_at <= now or (bool(timeout) and now - last_used_at > timeout)

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


def _no_such_user() -> NotFound:
    return NotFound("There is no such user.", path=("user_id",))
