"""What a sign-in by SAML begins with, and what comes back. Neither needs XML."""

from dataclasses import dataclass, field
from uuid import UUID

from app.federation.states import FlowKind


@dataclass(frozen=True, slots=True)
class SamlSignIn:
    """A sign-in by SAML that is to begin.

    Attributes:
        domain: A domain of the provider.
        redirect_to: Where the browser is to come back to; the default target where it is empty.
        kind: Which flow begins it; `token_exchange` without one.
        flow_id: That flow.
        code_challenge: The S256 challenge that binds the exchange token; may be empty.
    """

    domain: str
    redirect_to: str
    kind: FlowKind
    flow_id: UUID | None = None
    code_challenge: str = ""


@dataclass(frozen=True, slots=True)
class SamlAnswer:
    """What a browser brings back from an identity provider; a field that did not come is empty."""

    response: str = field(default="", repr=False)
    relay_state: str = field(default="", repr=False)
    browser_secret: str = field(default="", repr=False)
