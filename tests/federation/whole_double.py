"""A provider's double that has a page to sign in at, and redeems the code of that page alone."""

import base64
import json
from dataclasses import dataclass, field
from urllib.parse import unquote, urlencode

from federation.connectors.doubles import CLIENT_ID, CODE, SECRET, Double
from federation.connectors.loopback import Asked, Reply

from app.federation.pkce import fits


@dataclass
class WholeDouble(Double):
    """A provider at whose page one person says yes.

    `begun` is the authorization request that the code was given out for, empty once the code is
    redeemed; `first_time` is what Apple posts beside the code, once.
    """

    takes_verifier: bool = True
    first_time: dict = field(default_factory=dict)
    begun: dict[str, str] = field(default_factory=dict)
    codes: int = 0

    def attach(self) -> None:
        super().attach()
        self.server.paths["/authorize"] = self.authorize

    @property
    def code(self) -> str:
        return f"{CODE}-{self.codes}"

    def authorize(self, asked: Asked) -> Reply:
        """Send the browser back the way it was asked for: with a query, or with a form to post."""
        self.begun, self.codes = asked.query, self.codes + 1
        if "nonce" in asked.query:
            self.claims["nonce"] = asked.query["nonce"]
        answer = {"state": asked.query["state"], "code": self.code}
        if asked.query.get("response_mode") == "form_post":
            if self.first_time:
                answer["user"] = json.dumps(self.first_time)
                self.first_time = {}
            return Reply({"action": asked.query["redirect_uri"], "fields": answer})
        back = f"{asked.query['redirect_uri']}?{urlencode(answer)}"
        return Reply(b"", 302, headers=(f"Location: {back}",))

    def answer_token(self, asked: Asked) -> Reply:
        """Give tokens for the code, once, to who has asked for it (RFC 6749 section 4.1.3)."""
        if not self._is_redeemable(asked):
            return Reply({"error": "invalid_grant"}, 400)
        self.begun = {}
        return super().answer_token(asked)

    def _is_redeemable(self, asked: Asked) -> bool:
        verifier = asked.form.get("code_verifier", "")
        challenge = self.begun.get("code_challenge", "")
        return (
            bool(self.begun)
            and asked.form["grant_type"] == "authorization_code"
            and asked.form["code"] == self.code
            and asked.form["redirect_uri"] == self.begun["redirect_uri"]
            and _client(asked) == (CLIENT_ID, SECRET)
            and (fits(challenge, verifier) if self.takes_verifier else not verifier)
        )


def _client(asked: Asked) -> tuple[str | None, str | None]:
    """Read which client asks, and its secret: from the header, or else from the form."""
    basic = asked.headers.get("authorization", "").removeprefix("Basic ")
    if not basic:
        return asked.form.get("client_id"), asked.form.get("client_secret")
    name, _, secret = base64.b64decode(basic).decode().partition(":")
    return unquote(name), unquote(secret)
