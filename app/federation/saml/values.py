"""What a sign-in by SAML begins with, and what comes back. Neither needs XML."""

from dataclasses import dataclass, field
from uuid import UUID

from app.federation.states import FlowKind

PREFIX = "hanko_spi_"
"""What a RelayState of ours begins with; with the state it stays below 80 bytes (SAML Bindings)."""


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

    @property
    def is_begun_here(self) -> bool:
        """Whether it answers a request of ours."""
        return self.relay_state.startswith(PREFIX)

    @property
    def state(self) -> str:
        """The state of the request that it answers; empty where the provider has begun."""
        return self.relay_state.removeprefix(PREFIX) if self.is_begun_here else ""
