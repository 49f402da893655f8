"""The cookie with the secrets of a browser's sign-ins at providers (SEC-074)."""

from app.federation.browsers import BrowserSecrets
from app.federation.states import COOKIE, LIFETIME
from app.http.asked import Asked
from app.http.cookies import SessionCookie


def secrets_of(asked: Asked, cookie: SessionCookie) -> BrowserSecrets:
    """Read what a request bears."""
    return BrowserSecrets.of(cookie.read(asked.header(b"cookie"), COOKIE) or "")


def kept(secrets: BrowserSecrets, cookie: SessionCookie) -> tuple[bytes, bytes]:
    """Write the header that lets the browser keep these, and no others."""
    age = int(LIFETIME.total_seconds()) if secrets.secrets else 0
    return cookie.beside(COOKIE, secrets.text, age)
