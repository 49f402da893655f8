"""Connecting and disconnecting one's own identities at providers."""

from typing import Annotated

import strawberry

from app.federation.sign_in import SignInRequest
from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_session
from app.graphql.identity_type import IdentityType
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.users import DeletePayload
from app.selfservice import Oneself

_ERRORS = "Why it was refused; empty where it was not."
_VERIFIER = "A PKCE verifier (RFC 7636) of 43 to 128 characters; the same at both ends."
IdentityId = Annotated[strawberry.ID, strawberry.argument(description="The identity's UUID.")]


@strawberry.type(description="The way to a provider.")
class IdentityConnectionPayload:
    """A start."""

    redirect_url: str | None = strawberry.field(
        description="Where to send this browser, within five minutes."
    )
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What became of an identity.")
class IdentityPayload:
    """An identity."""

    identity: IdentityType | None = strawberry.field(description="The identity as it is now.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.input(description="A provider to connect.")
class BeginIdentityConnectionInput:
    """A start."""

    provider: str = strawberry.field(description="The provider's id.")
    redirect_to: str = strawberry.field(
        description="Where the browser comes back to, with `hanko_token` or `error`."
    )
    code_verifier: strawberry.Maybe[str | None] = strawberry.field(description=_VERIFIER)


@strawberry.input(description="What came back from a provider.")
class ConnectIdentityInput:
    """A token."""

    token: str = strawberry.field(description="The token that came with the redirect.")
    code_verifier: strawberry.Maybe[str | None] = strawberry.field(description=_VERIFIER)


@strawberry.type
class IdentityMutations:
    """Changes of one's own identities."""

    @mutation(
        "Begin to connect an identity at a provider. The answer sets a cookie, without which the "
        "way back is closed.",
        requires_session(),
        recent=True,
        solo=True,
    )
    async def begin_identity_connection(
        self,
        info: Info,
        input: Annotated[BeginIdentityConnectionInput, strawberry.argument(description="Where.")],  # noqa: A002
    ) -> IdentityConnectionPayload:
        """Begin."""
        context = info.context
        federation, user_id = context.services.federation, context.actor.require_user()
        actor = context.actor
        await context.services.rate_limits.charge("flow", address=actor.origin.address, actor=actor)
        await federation.get_ready(input.provider)
        begun = await federation.begin(
            SignInRequest(
                input.provider,
                input.redirect_to,
                "profile",
                user_id=user_id,
                code_verifier=_given(input.code_verifier),
            )
        )
        context.remember_browser(begun.browser_secret)
        return IdentityConnectionPayload(redirect_url=begun.redirect_url, user_errors=[])

    @mutation(
        "Connect the identity that the provider has told of.",
        requires_session(),
        recent=True,
        solo=True,
    )
    async def connect_identity(
        self,
        info: Info,
        input: Annotated[ConnectIdentityInput, strawberry.argument(description="The token.")],  # noqa: A002
    ) -> IdentityPayload:
        """Connect."""
        context = info.context
        await context.services.rate_limits.charge(
            "token_exchange", address=context.actor.origin.address, actor=context.actor
        )
        redeemed = await context.services.own_credentials.connect_identity(
            Oneself(context.actor), input.token, _given(input.code_verifier)
        )
        identity = redeemed.identity
        emails = await context.emails.load(identity.user_id)
        shown = IdentityType.of(identity, redeemed.provider, emails)
        return IdentityPayload(identity=shown, user_errors=[])

    @mutation(
        "Give up an identity at a provider, if you can still sign in.",
        requires_session(),
        recent=True,
    )
    async def disconnect_identity(self, info: Info, identity_id: IdentityId) -> DeletePayload:
        """Disconnect."""
        service = info.context.services.own_credentials
        me = Oneself(info.context.actor)
        await service.disconnect_identity(me, id_of(identity_id, "identity_id"))
        return DeletePayload(deleted_id=identity_id, user_errors=[])


def _given(value: strawberry.Some[str | None] | None) -> str:
    return (value.value if value else None) or ""
