"""The settings of sessions, their cookie and their tokens."""

from typing import Annotated, Any, Literal

from msgspec import field

from app.config.section import Section, about
from app.config.values import Duration


class Cookie(Section, frozen=True):
    """The session cookie."""

    name: Annotated[str, about("Name; empty means `hanko`, as published clients expect.")] = ""
    domain: Annotated[str, about("Domain attribute; empty means this host only.")] = ""
    http_only: Annotated[bool, about("HttpOnly attribute.")] = True
    secure: Annotated[
        bool, about("Secure attribute. Browsers accept it on http://localhost too.")
    ] = True
    same_site: Annotated[
        Literal["strict", "lax", "none"], about("SameSite attribute; `none` needs `secure`.")
    ] = "strict"
    retention: Annotated[
        Literal["persistent", "session", "prompt"],
        about("Whether the cookie outlives the browser."),
    ] = "persistent"

    @property
    def called(self) -> str:
        """The name in force."""
        return self.name or "hanko"


class JwtTemplate(Section, frozen=True):
    """Claims of an application's own in session tokens."""

    claims: Annotated[
        dict[str, Any],
        about("Claims by name; texts in them are templates. `setJwtTemplate` takes their place."),
    ] = field(default_factory=dict)
    budget: Annotated[
        int, about("Most bytes the claims may take as compact JSON; 0 for all a cookie has.", ge=0)
    ] = 1200
    over_budget: Annotated[
        Literal["omit", "refuse"],
        about(
            "Where a user's claims outgrow the budget: `omit` some from the token, or `refuse` the "
            "change of metadata that would bring it about."
        ),
    ] = "omit"


MAX_COOKIE = 4096


_COOKIE_FRAME = len("=; Path=/; Domain=; Max-Age=31536000000; HttpOnly; Secure; SameSite=Strict")


_JWS_FRAME = 112 + len("..") + 683
"""Header and signature at their longest: RS256 under a key of 4,096 bits."""


class StepUp(Section, frozen=True):
    """How recently a user must have signed in to change what opens the account (SEC-037)."""

    max_age: Annotated[
        Duration,
        about(
            "Longest time since the sign-in; 0 for 5 minutes in GraphQL in production, and none "
            "elsewhere."
        ),
    ] = field(default_factory=lambda: Duration(0))


class Session(Section, frozen=True):
    """Sessions and the tokens that stand for them."""

    lifespan: Annotated[
        Duration, about("How long a session lives, and its token where that is not shorter.")
    ] = field(default_factory=lambda: Duration(hours=12))
    access_token_lifespan: Annotated[
        Duration,
        about("How long a token lives that a refresh token renews; 0 for one token a session."),
    ] = field(default_factory=lambda: Duration(0))
    renew_stale_tokens: Annotated[
        bool,
        about("Whether `/sessions/validate` hands out a new token when the claims have changed."),
    ] = False
    idle_timeout: Annotated[
        Duration, about("A session unused for longer ends; 0 switches this off.")
    ] = field(default_factory=lambda: Duration(0))
    limit: Annotated[int, about("Sessions a user may have; the oldest end first.", ge=1)] = 5
    issuer: Annotated[str, about("`iss` claim, checked on the way in; empty for none.")] = ""
    audience: Annotated[
        list[str], about("`aud` claim; empty means the relying party id of WebAuthn.")
    ] = []
    enable_auth_token_header: Annotated[
        bool, about("Hand the token out in `X-Auth-Token` instead of a cookie.")
    ] = False
    acquire_ip_address: Annotated[
        bool,
        about("Keep the client's address with a session.", env="SESSION_ACQUIREIPADDRESS"),
    ] = True
    acquire_user_agent: Annotated[
        bool, about("Keep the user agent with a session.", env="SESSION_ACQUIREUSERAGENT")
    ] = True
    show_on_profile: Annotated[
        bool, about("List a user's sessions in the profile.", env="SESSION_SHOWONPROFILE")
    ] = True
    allow_revocation: Annotated[
        bool,
        about("Users may end their other sessions there.", env="SESSION_ALLOWREVOCATION"),
    ] = True
    step_up: StepUp = field(default_factory=StepUp)
    cookie: Cookie = field(default_factory=Cookie)
    jwt_template: JwtTemplate = field(default_factory=JwtTemplate)

    def payload_limit(self) -> int:
        """Give the most bytes of JSON in a token that a cookie still has room for (SEC-030)."""
        frame = len(self.cookie.called) + len(self.cookie.domain) + _COOKIE_FRAME
        return (MAX_COOKIE - frame - _JWS_FRAME) * 3 // 4
