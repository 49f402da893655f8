"""Sessions that go on: a refresh token is exchanged for a new token, or ends its session."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app import strictjson
from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config import sections
from app.persistence import Row, fetch, fetch_row, transaction
from app.sessions.refresh_tokens import RefreshToken, RefreshTokenInvalid, RefreshTokens
from app.sessions.service import Sessions
from app.sessions.tokens import SessionTokens
from app.sessions.values import Draft, Issued, Session, SessionNotFound

_SESSION = """
SELECT id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at, is_remembered, amr
FROM user_session WHERE id = $1
"""
_LOCK = """
SELECT id, user_id, last_used_at, expires_at, refresh_count, refreshed_at FROM user_session
WHERE id = $1 FOR UPDATE
"""
_COUNT = """
UPDATE user_session SET refresh_count = refresh_count + 1, refreshed_at = $2, last_used_at = $2
WHERE id = $1
"""
_END = "DELETE FROM user_session WHERE id = $1"
_GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Refreshing:
    """Exchanges refresh tokens, each of them once (RFC 9700 §4.14.2)."""

    config: sections.Session
    sessions: Sessions
    tokens: SessionTokens
    refresh_tokens: RefreshTokens
    audit: AuditLog
    clock: Clock

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
        draft = await self._draft(presented)
        token = await self.tokens.mint(draft.claims)  # if that fails nothing has been counted
        async with transaction():
            rows = await fetch(_LOCK, presented.session_id)
            now = self.clock()
            count = await self._counted(actor, presented, rows[0], now) if rows else None
        if count is None:
            raise RefreshTokenInvalid
        refresh = self.refresh_tokens.write(RefreshToken(presented.session_id, count))
        return Issued(draft.session, token, draft.issued_at, draft.expires_at, refresh)

    async def end(self, actor: Actor, text: str) -> None:
        """End the session of a refresh token: signing out, whose token may have expired.

        Raises:
            RefreshTokenInvalid: It is none of ours, or its session has ended.
        """
        presented = self.refresh_tokens.read(text)
        row = await self._row(presented)
        try:
            await self.sessions.end(actor, row["user_id"], presented.session_id, "user_logged_out")
        except SessionNotFound:
            raise RefreshTokenInvalid from None

    async def _row(self, presented: RefreshToken) -> Row:
        row = await fetch_row(_SESSION, presented.session_id)
        if row is None:
            raise RefreshTokenInvalid
        return row

    async def _draft(self, presented: RefreshToken) -> Draft:
        """Say what the next token of a session will claim."""
        row, now = await self._row(presented), self.clock()
        columns = {name: row[name] for name in Session.__slots__}
        session = Session(**columns | {"last_used_at": now})
        amr = tuple(strictjson.parse(row["amr"].encode())) if row["amr"] else ()
        draft = await self.sessions.draft_of(session, now, amr)
        if draft is None:
            raise RefreshTokenInvalid
        return draft

    async def _counted(
        self, actor: Actor, presented: RefreshToken, row: Row, now: datetime
    ) -> int | None:
        """Count a refresh, and give the count that the new refresh token bears; None to refuse."""
        if self.sessions.has_ended(row["expires_at"], row["last_used_at"], now):
            return None
        count: int = row["refresh_count"]
        if presented.count == count:
            await fetch(_COUNT, row["id"], now)
            return count + 1
        if presented.count == count - 1 and now - row["refreshed_at"] <= _GRACE:
            return count
        await fetch(_END, row["id"])
        details = {"session_id": str(row["id"])}
        await self.audit.record(
            "session_refresh_reused", actor, subject=row["user_id"], details=details
        )
        return None
