"""What the client's device can do: the first step of every flow but the token exchange."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.flows.definition import SubFlow
from app.flows.inputs import Input
from app.flows.outcomes import Move, Outcome
from app.flows.states import Preflight
from app.flows.step import Action, Step


class RegisterClientCapabilities(Action, frozen=True):
    """Report client capabilities."""

    name: ClassVar[str] = "register_client_capabilities"
    webauthn_available: Annotated[bool, Meta(description="Whether there is WebAuthn.")] = False
    webauthn_conditional_mediation_available: Annotated[
        bool, Meta(description="Whether passkeys can be offered in a form.")
    ] = False
    webauthn_platform_authenticator_available: Annotated[
        bool, Meta(description="Whether the device is itself an authenticator.")
    ] = False

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Show what is asked."""
        return (
            Input("webauthn_available", "boolean", required=True, hidden=True),
            Input("webauthn_conditional_mediation_available", "boolean", hidden=True),
            Input("webauthn_platform_authenticator_available", "boolean", hidden=True),
        )

    async def run(self, step: Step) -> Outcome:
        """Remember it and go on to what the flow is for."""
        stash = step.stash
        stash.webauthn_available = self.webauthn_available
        stash.conditional_mediation = self.webauthn_conditional_mediation_available
        stash.platform_authenticator = self.webauthn_platform_authenticator_available
        attachment = step.config.mfa.security_keys.authenticator_attachment
        stash.security_key_attachment = (
            self.webauthn_platform_authenticator_available or attachment != "platform"
        )
        return Move()


CAPABILITIES = SubFlow("capabilities", {Preflight: (RegisterClientCapabilities,)})
