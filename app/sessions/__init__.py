"""Sessions: issued, checked, refreshed, listed, ended; and the tokens that stand for them."""

from app.sessions.claims import TokenClaims
from app.sessions.refresh_tokens import RefreshTokenInvalid, RefreshTokens
from app.sessions.refreshing import Refreshing
from app.sessions.service import Sessions
from app.sessions.tokens import SessionTokens, TokenExpired, Verified
from app.sessions.values import Draft, Issued, Session, SessionNotFound, SignedIn, SignIn

__all__ = [
    "Draft",
    "Issued",
    "RefreshTokenInvalid",
    "RefreshTokens",
    "Refreshing",
    "Session",
    "SessionNotFound",
    "SessionTokens",
    "Sessions",
    "SignIn",
    "SignedIn",
    "TokenClaims",
    "TokenExpired",
    "Verified",
]
