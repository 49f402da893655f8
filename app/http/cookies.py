"""How a session token travels: in a cookie (SEC-030), or in a header where configured (SEC-031)."""

from dataclasses import dataclass
from datetime import timedelta

from app.config.sections import Session
from app.sessions import Issued
from app.sessions import Session as SessionRow

REFRESH_PATH = "/sessions/refresh"


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """Reads the tokens from a Cookie header, and writes the headers that carry them."""

    config: Session

    @property
    def name(self) -> str:
        """The name of the session token's cookie."""
        return self.config.cookie.called

    @property
    def refresh_name(self) -> str:
        """The name of the refresh token's cookie, which has a path and so cannot be `__Host-`."""
        return self.name.replace("__Host-", "__Secure-", 1) + "-refresh"

    @property
    def in_header(self) -> bool:
        """Whether a session token travels to the client in `X-Auth-Token` and not in a cookie."""
        return self.config.enable_auth_token_header

    def read(self, header: str, name: str | None = None) -> str | None:
        """Find the token among the cookies a request bears."""
        wanted = name or self.name
        for pair in header.split(";"):
            key, equals, value = pair.strip().partition("=")
            if equals and key == wanted:
                return value
        return None

    def delivery(self, issued: Issued) -> list[tuple[bytes, bytes]]:
        """Write the headers that hand a session to a browser: cookies, or `X-Auth-Token`."""
        lasts = self._lasts(issued.session)
        headers = self.token(issued)
        if issued.refresh_token is not None:
            age = issued.session.expires_at - issued.issued_at if lasts else None
            line = self._line(self.refresh_name, issued.refresh_token, age, REFRESH_PATH)
            headers.append((b"set-cookie", line.encode()))
        return headers

    def token(self, issued: Issued) -> list[tuple[bytes, bytes]]:
        """Write the headers that hand the session token alone to a browser."""
        lasts = self._lasts(issued.session)
        left = issued.expires_at - issued.issued_at
        headers = [
            (b"x-session-lifetime", str(int(left.total_seconds())).encode()),
            (b"x-session-retention", b"persistent" if lasts else b"session"),
        ]
        if self.in_header:
            return [(b"x-auth-token", issued.token.encode()), *headers]
        line = self._line(self.name, issued.token, left if lasts else None)
        return [(b"set-cookie", line.encode()), *headers]

    @staticmethod
    def beside(name: str, value: str, max_age: int) -> tuple[bytes, bytes]:
        """Write a cookie that goes beside a session's, as sign-in pages on other sites need it."""
        line = f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; Secure; SameSite=None"
        return b"set-cookie", line.encode()

    def deletion(self) -> list[tuple[bytes, bytes]]:
        """Write the headers that make a browser forget the session."""
        lines = [self._line(self.name, "", timedelta(0))]
        if self.config.access_token_lifespan:
            lines.append(self._line(self.refresh_name, "", timedelta(0), REFRESH_PATH))
        return [(b"set-cookie", line.encode()) for line in lines]

    def _lasts(self, session: SessionRow) -> bool:
        """Say whether a session's cookies outlive the browser; for `prompt` the person said so."""
        retention = self.config.cookie.retention
        return retention == "persistent" or (retention == "prompt" and session.is_remembered)

    def _line(self, name: str, value: str, max_age: timedelta | None, path: str = "/") -> str:
        cookie = self.config.cookie
        parts = [f"{name}={value}", f"Path={path}"]
        if cookie.domain:
            parts.append(f"Domain={cookie.domain}")
        if max_age is not None:
            parts.append(f"Max-Age={int(max_age.total_seconds())}")
        parts += ["HttpOnly"] * (cookie.http_only or path != "/") + ["Secure"] * cookie.secure
        parts.append(f"SameSite={cookie.same_site.capitalize()}")
        return "; ".join(parts)
