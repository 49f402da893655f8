"""Sign-in at a provider: the way there, and what comes of the token that comes back (§7.4)."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar, cast

from msgspec import Meta

from app.errors import IdentityError, Unavailable
from app.federation.admission import Redeemed
from app.federation.errors import (
    CodeChallengeInvalid,
    RedirectNotAllowed,
    TokenUnknown,
    VerifierMismatch,
)
from app.federation.exchange import Redemption
from app.federation.saml.values import SamlSignIn
from app.federation.sign_in import Begun, SignInRequest
from app.federation.states import COOKIE, LIFETIME, FlowKind
from app.flows.errors import (
    FlowError,
    FormDataInvalid,
    OperationNotPermitted,
    TechnicalError,
    ValueInvalid,
)
from app.flows.inputs import Choice, Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.proving import prove
from app.flows.scheduling import depends_on_device
from app.flows.state import State
from app.flows.states import PasscodeConfirmation, Preflight, ThirdParty
from app.flows.step import Action, Cookie, Step
from app.flows.whose import is_to_be_proved, refuse_for_now, too_often
from app.ratelimit import Limited


def providers_of(step: Step) -> tuple[Choice, ...]:
    """List the providers one can sign in with, in the order of sign-in pages."""
    return tuple(Choice(one.id, one.display_name) for one in step.domains.federation.providers())


async def offer_providers(step: Step) -> None:
    """Show who else can say who the person is."""
    step.show(providers=providers_of(step))


class ThirdpartyOauth(Action, frozen=True):
    """Sign in with a provider."""

    name: ClassVar[str] = "thirdparty_oauth"
    redirect_to: Annotated[str, Meta(description="Where the browser is to come back to.")] = ""
    provider: Annotated[str, Meta(description="The provider's id.")] = ""
    code_verifier: Annotated[str, Meta(description="A PKCE verifier (RFC 7636).")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the provider and the way back."""
        return provider_inputs(providers_of(step))

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is a provider."""
        return bool(providers_of(step))

    async def run(self, step: Step) -> Outcome:
        """Send the browser there."""
        wanted = SignInRequest(
            self.provider,
            self.redirect_to,
            _kind(step),
            step.flow_id,
            code_verifier=self.code_verifier,
        )
        return await begin_at_provider(step, wanted)


def provider_inputs(allowed: tuple[Choice, ...]) -> tuple[Input, ...]:
    """Describe what a sign-in at one of some providers begins with."""
    return (
        Input("redirect_to", required=True, hidden=True),
        Input("provider", required=True, hidden=True, allowed=allowed),
        Input("code_verifier", hidden=True),
    )


async def begin_at_provider(step: Step, wanted: SignInRequest) -> Outcome:
    """Send the browser to a provider; what is asked of its network is asked outside."""
    federation = step.domains.federation
    limited = await step.outside(
        "provider", partial(_get_ready, step, federation.get_ready, wanted.provider)
    )
    if limited is not None:
        return refuse_for_now(limited)
    try:
        begun = await federation.begin(wanted)
    except RedirectNotAllowed as refused:
        return Refuse(FormDataInvalid(), {"redirect_to": Problem(ValueInvalid(), refused)})
    except CodeChallengeInvalid as refused:
        return Refuse(FormDataInvalid(), {"code_verifier": Problem(ValueInvalid(), refused)})
    return _leave(step, begun)


async def begin_at_domain(step: Step, address: str) -> Outcome | None:
    """Send the browser to the SAML provider of an address; None where its domain has none."""
    saml = step.domains.saml
    domain = saml.provider_for_address(address) if saml is not None else None
    if saml is None or domain is None:
        return None
    limited = await step.outside("provider", partial(_get_ready, step, saml.get_ready, domain))
    if limited is not None:
        return refuse_for_now(limited)
    wanted = SamlSignIn(domain, "", _kind(step), step.flow_id)
    return _leave(step, await saml.begin(wanted))


async def _get_ready(
    step: Step, get_ready: Callable[[str], Awaitable[None]], name: str
) -> Limited | None:
    """Count the start, each of which is a row (SEC-126), and learn what it needs."""
    actor = step.actor
    limited = await step.domains.rate_limits.take("flow", address=actor.origin.address, actor=actor)
    if limited is None:
        await get_ready(name)
    return limited


def _leave(step: Step, begun: Begun) -> Outcome:
    """Show where the browser is to go, and let it keep its secret (SEC-074)."""
    secrets = step.request.browser_secrets.having(begun.browser_secret)
    step.set_cookie(Cookie(COOKIE, secrets.text, int(LIFETIME.total_seconds())))
    return Move(ThirdParty(redirect_url=begun.redirect_url))


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

    async def run(self, step: Step) -> Outcome:
        """Find out whose account it is; what the account asks for comes next (SEC-032)."""
        return await _arrive(step, await redeemed_in(step, self.token, self.code_verifier))


async def redeemed_in(step: Step, token: str, code_verifier: str) -> Redeemed:
    """Redeem a token in the step's transaction.

    Raises:
        FlowError: It cannot be; the flow stays as it is, since a client that is shown
            `thirdparty` with a refusal would send its browser nowhere (Q-12).
        Unavailable: Something does not answer.
    """
    domains, actor = step.domains, step.actor
    take = domains.rate_limits.take
    limited = await step.outside(
        "token", partial(take, "token_exchange", address=actor.origin.address, actor=actor)
    )
    if limited is not None:
        raise too_often(limited)
    connects = step.kind == "profile"
    user_id = step.stash.user_id if connects else None
    wanted = Redemption(_kind(step), step.flow_id, code_verifier, user_id)
    try:
        return await domains.federation.redeem(step.actor, token, wanted)
    except Unavailable:
        raise
    except IdentityError as error:
        note = partial(domains.federation.note_refusal, step.actor, error)
        await step.outside("refused", note)  # what this step has written is undone
        raise _told(error) from error


def _told(error: IdentityError) -> FlowError:
    """Say in the flow API's codes why a token cannot be redeemed."""
    if isinstance(error, TokenUnknown):
        return TechnicalError(error.message)
    if isinstance(error, VerifierMismatch):
        return FormDataInvalid(error.message)
    return OperationNotPermitted(error.message)


async def _arrive(step: Step, redeemed: Redeemed) -> Outcome:
    """Remember who has come back, and ask for what their address lacks (Q-14).

    Nothing that was typed before counts any more: the identity alone says who it is.
    """
    stash = step.stash
    stash.identification = stash.email = stash.username = ""
    stash.seems_to_have_mail = False
    stash.login_method, stash.third_party_provider = "third_party", redeemed.provider.id
    stash.identity_id, stash.is_new = redeemed.identity.id, redeemed.created
    stash.skip_user_creation = True
    stash.user_id = redeemed.user_id
    await prove(step)
    following: list[type[State]] = []
    if redeemed.address is not None and is_to_be_proved(step.config, redeemed):
        stash.email, stash.template = redeemed.address, "email_verification"
        following.append(PasscodeConfirmation)
    if step.kind == "token_exchange" and depends_on_device(step.config, stash):
        following.append(Preflight)
    return Move(*following, no_back=True)


def _kind(step: Step) -> FlowKind:
    return cast("FlowKind", step.kind)
