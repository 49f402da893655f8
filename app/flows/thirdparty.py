"""Login at a provider. There are no providers yet, so that nothing of it is offered."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.flows.errors import OperationNotPermitted
from app.flows.inputs import Choice, Input
from app.flows.outcomes import Outcome
from app.flows.step import Action, Step

PROVIDERS: tuple[Choice, ...] = ()
"""The providers one can sign in with, by id and name."""


class ThirdpartyOauth(Action, frozen=True):
    """Sign in with a provider."""

    name: ClassVar[str] = "thirdparty_oauth"
    redirect_to: Annotated[str, Meta(description="Where the browser is to come back to.")] = ""
    provider: Annotated[str, Meta(description="The provider's id.")] = ""
    code_verifier: Annotated[str, Meta(description="A PKCE verifier (RFC 7636).")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the provider and the way back."""
        return (
            Input("redirect_to", required=True, hidden=True),
            Input("provider", required=True, hidden=True, allowed=PROVIDERS),
            Input("code_verifier", hidden=True),
        )

    @classmethod
    def offered(cls, step: Step) -> bool:  # noqa: ARG003  # whatever the step
        """Offer it where there is a provider."""
        return bool(PROVIDERS)

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # whatever the step
        """Refuse: no provider can be reached."""
        raise OperationNotPermitted


class ExchangeToken(Action, frozen=True):
    """Come back from a provider with its token."""

    name: ClassVar[str] = "exchange_token"
    token: Annotated[str, Meta(description="The token that came with the redirect.")] = ""
    code_verifier: Annotated[str, Meta(description="The PKCE verifier of the start.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the token."""
        return (
            Input("token", required=True, hidden=True),
            Input("code_verifier", hidden=True),
        )

    @classmethod
    def offered(cls, step: Step) -> bool:  # noqa: ARG003  # whatever the step
        """Offer it where there is a provider."""
        return bool(PROVIDERS)

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # whatever the step
        """Refuse: nobody has issued such a token."""
        raise OperationNotPermitted
