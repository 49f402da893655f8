"""What a sign-in at a provider is made of: what is asked for, what comes back, where that leads."""

from dataclasses import dataclass, field
from uuid import UUID

from app.federation.states import FlowKind


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """A sign-in that is to begin.

    Attributes:
        provider: The provider's id.
        redirect_to: Where the browser is to come back to; where it is empty, the configured
            default, else the page of errors.
        kind: Which flow begins it; `token_exchange` without one.
        flow_id: That flow.
        user_id: Who links an identity from a live session; None to sign in.
        code_verifier: The client's PKCE verifier, which binds the exchange token; may be empty.
        code_challenge: Its S256 challenge, from who keeps the verifier; may be empty.
    """

    provider: str
    redirect_to: str
    kind: FlowKind
    flow_id: UUID | None = None
    user_id: UUID | None = None
    code_verifier: str = field(default="", repr=False)
    code_challenge: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the secret that its cookie is to hold."""

    redirect_url: str
    browser_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What a browser brings back from a provider; a field that did not come is empty.

    Attributes:
        callback_of: The provider at whose own callback it came; empty at the one that all share.
        is_readable: Whether the query could be read at all.
    """

    state: str = ""
    code: str = field(default="", repr=False)
    error: str = ""
    error_description: str = ""
    iss: str = ""
    user: str = field(default="", repr=False)
    browser_secret: str = field(default="", repr=False)
    callback_of: str = ""
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """Where to send the browser next: with a token, or with an error.

    Attributes:
        forgets_browser: Whether the browser's secret was used up, so that its cookie may go.
    """

    redirect_url: str = field(repr=False)
    forgets_browser: bool = False
