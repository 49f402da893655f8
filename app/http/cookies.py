"""How a session token travels: in a cookie (SEC-030), or in a header where configured (SEC-031)."""

from dataclasses import dataclass
from datetime import timedelta

from app.config.sections import Session

DEFAULT_NAME = "hanko"


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """Reads the session token from a Cookie header, and writes the headers that carry it."""

    config: Session

    @property
    def name(self) -> str:
        """The cookie's name."""
        return self.config.cookie.name or DEFAULT_NAME

    def read(self, header: str) -> str | None:
        """Find the token among the cookies a request bears."""
        name = self.name
        for pair in header.split(";"):
            key, equals, value = pair.strip().partition("=")
            if equals and key == name:
                return value
        return None

    def delivery(self, token: str, *, remember: bool = True) -> list[tuple[bytes, bytes]]:
        """Write the headers that hand a token to a browser: the cookie or `X-Auth-Token`.

        Args:
            token: The session token.
            remember: Whether the person wants to stay signed in; asked where retention is `prompt`.
        """
        lasts = self.config.cookie.retention == "persistent" or (
            self.config.cookie.retention == "prompt" and remember
        )
        retention = "persistent" if lasts else "session"
        lifetime = str(int(self.config.lifespan.total_seconds()))
        headers = [
            (b"x-session-lifetime", lifetime.encode()),
            (b"x-session-retention", retention.encode()),
        ]
        if self.config.enable_auth_token_header:
            return [(b"x-auth-token", token.encode()), *headers]
        line = self._line(token, self.config.lifespan if lasts else None)
        return [(b"set-cookie", line.encode()), *headers]

    def deletion(self) -> tuple[bytes, bytes]:
        """Write the header that makes a browser forget the session."""
        return b"set-cookie", self._line("", timedelta(0)).encode()

    def _line(self, value: str, max_age: timedelta | None) -> str:
        cookie = self.config.cookie
        parts = [f"{self.name}={value}", "Path=/"]
        if cookie.domain:
            parts.append(f"Domain={cookie.domain}")
        if max_age is not None:
            parts.append(f"Max-Age={int(max_age.total_seconds())}")
        parts += ["HttpOnly"] * cookie.http_only + ["Secure"] * cookie.secure
        parts.append(f"SameSite={cookie.same_site.capitalize()}")
        return "; ".join(parts)
