"""The secrets of the sign-ins that one browser has under way (SEC-074). Pure.

A browser may have several, in tabs beside each other. Each has a secret of its own, which goes with
one state alone and begins as that state does; the cookie holds the newest few of them.
"""

import re
from dataclasses import dataclass
from typing import Self

MOST = 5
"""Sign-ins that a browser may have under way; a further one takes the place of the oldest."""

MARK = 8
"""Characters that a secret has in common with its state."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{20,128}")
_BETWEEN = "."


@dataclass(frozen=True, slots=True)
class BrowserSecrets:
    """The secrets in a browser's cookie, the newest last."""

    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, cookie: str) -> Self:
        """Read the cookie's value; what is no secret in it is left out."""
        parts = cookie.split(_BETWEEN)[-MOST:]
        return cls(tuple(one for one in parts if _SECRET.fullmatch(one)))

    @property
    def text(self) -> str:
        """The cookie's value; empty where nothing is under way."""
        return _BETWEEN.join(self.secrets)

    def of_state(self, state: str) -> str:
        """Give the secret that goes with a state; else another one, which proves nothing.

        Empty is a browser that has begun nothing lately.
        """
        return next((one for one in self.secrets if _goes_with(one, state)), self.text)

    def having(self, secret: str) -> "BrowserSecrets":
        """Add the secret of a sign-in that begins."""
        return BrowserSecrets((*self.secrets, secret)[-MOST:])

    def without(self, state: str) -> "BrowserSecrets":
        """Take away the secret of a sign-in that is over."""
        return BrowserSecrets(tuple(one for one in self.secrets if not _goes_with(one, state)))


def _goes_with(secret: str, state: str) -> bool:
    return len(state) > MARK and secret.startswith(state[:MARK])
