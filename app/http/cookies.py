"""The session cookie (SEC-030)."""

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
