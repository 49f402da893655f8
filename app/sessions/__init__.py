"""Sessions: issued, checked, listed, ended; and the tokens that stand for them."""

from app.sessions.service import Issued, Session, SessionNotFound, Sessions, SignedIn
from app.sessions.tokens import SessionTokens, TokenExpired, Verified

__all__ = [
    "Issued",
    "Session",
    "SessionNotFound",
    "SessionTokens",
    "Sessions",
    "SignedIn",
    "TokenExpired",
    "Verified",
]
