"""Identities at providers in the profile (§2.3)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.errors import NotFound
from app.federation.sign_in import SignInRequest
from app.flows.inputs import Choice, Input
from app.flows.outcomes import Move, Outcome, Refuse, Stay
from app.flows.profile_facts import ProfileAction, id_input, person_in
from app.flows.states import ProfileInit
from app.flows.step import Step
from app.flows.thirdparty import (
    ExchangeToken,
    begin_at_provider,
    provider_inputs,
    providers_of,
    redeemed_in,
)
from app.flows.whose import oneself
from app.ids import parse_id
from app.selfservice.holdings import may_disconnect


class ConnectThirdpartyOauthProvider(ProfileAction, frozen=True):
    """Sign in with a provider from now on."""

    name: ClassVar[str] = "connect_thirdparty_oauth_provider"
    redirect_to: Annotated[str, Meta(description="Where the browser is to come back to.")] = ""
    provider: Annotated[str, Meta(description="The provider's id.")] = ""
    code_verifier: Annotated[str, Meta(description="A PKCE verifier (RFC 7636).")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the provider and the way back."""
        return provider_inputs(_unconnected(step))

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is a provider that the user is not connected to."""
        return bool(_unconnected(step))

    async def change(self, step: Step) -> Outcome:
        """Send the browser there; what comes back joins this account and no other."""
        wanted = SignInRequest(
            self.provider,
            self.redirect_to,
            "profile",
            step.flow_id,
            person_in(step).account.id,
            self.code_verifier,
        )
        return await begin_at_provider(step, wanted)


def _unconnected(step: Step) -> tuple[Choice, ...]:
    connected = {provider.id for _, provider in person_in(step).identities}
    return tuple(one for one in providers_of(step) if one.value not in connected)


class ExchangeConnectionToken(ExchangeToken, frozen=True):
    """Come back from a provider with its token."""

    async def run(self, step: Step) -> Outcome:
        """Connect the identity, whose user is told by mail."""
        await redeemed_in(step, self.token, self.code_verifier)
        return Move(ProfileInit, no_back=True)


class DisconnectThirdpartyOauthProvider(ProfileAction, frozen=True):
    """Sign in with a provider no longer."""

    name: ClassVar[str] = "disconnect_thirdparty_oauth_provider"
    identity_id: Annotated[str, Meta(description="The UUID of the link to the provider.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask which (Q-31)."""
        mine = person_in(step).identities
        return (
            id_input(
                "identity_id", *(Choice(str(one.id), named.display_name) for one, named in mine)
            ),
        )

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is any, and another way to sign in is left."""
        held = person_in(step).held
        return held.identities > 0 and may_disconnect(step.config, held, identities=1)

    async def change(self, step: Step) -> Outcome:
        """Give it up."""
        identity_id = parse_id(self.identity_id)
        if identity_id is None:
            return Refuse(NotFound())
        await step.domains.own_credentials.disconnect_identity(oneself(step), identity_id)
        return Stay()
