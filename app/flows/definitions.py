"""The flows, put together. Read them aloud."""

from collections.abc import Mapping
from datetime import timedelta

from app.errors import Forbidden
from app.flows.capabilities import CAPABILITIES
from app.flows.credential_onboarding import CREDENTIAL_ONBOARDING
from app.flows.credential_usage import CREDENTIAL_USAGE
from app.flows.definition import Flow, Kind
from app.flows.device_trust import DEVICE_TRUST
from app.flows.domains import Domains
from app.flows.hooks import (
    create_email,
    create_user,
    persist_password,
    persist_verified,
)
from app.flows.login_init import RememberMe
from app.flows.mfa_creation import MFA_CREATION
from app.flows.mfa_usage import MFA_USAGE
from app.flows.passkey_options import offer_passkeys_in_form
from app.flows.profile import PROFILE
from app.flows.proving import keep_up, refuse_what_has_changed
from app.flows.registration import RegisterLoginIdentifier
from app.flows.scheduling import schedule_after_login, schedule_after_provider
from app.flows.signing_in import sign_in, sign_up, trust_device
from app.flows.state import State
from app.flows.states import (
    Error,
    LoginInit,
    OnboardingEmail,
    PasscodeConfirmation,
    PasswordCreation,
    Preflight,
    RegistrationInit,
    Success,
    ThirdParty,
)
from app.flows.step import FlowRequest, GoBack, Hook
from app.flows.thirdparty import ExchangeToken, ThirdpartyOauth, offer_providers
from app.flows.user_details import USER_DETAILS


def _refuse_without_providers(domains: Domains, request: FlowRequest) -> None:  # noqa: ARG001  # a guard
    """Refuse what only providers begin, where none is on."""
    if domains.saml is None and not domains.federation.providers():
        raise Forbidden("There is no provider to come back from.")


_PARTS = (
    CAPABILITIES,
    CREDENTIAL_USAGE,
    CREDENTIAL_ONBOARDING,
    DEVICE_TRUST,
    USER_DETAILS,
    MFA_CREATION,
    MFA_USAGE,
)
"""What every flow that leads to a session is made of."""

_KEPT: Mapping[
    type[State], tuple[Hook, ...]
] = {  # a user whom a provider has brought exists already
    PasscodeConfirmation: (create_email, persist_verified),
    OnboardingEmail: (create_email,),
}

LOGIN = Flow(
    "login",
    start=(Preflight, LoginInit),
    states={Success: (), Error: ()},
    parts=_PARTS,
    error=Error,
    before_action=(refuse_what_has_changed,),
    after_action=(keep_up,),
    before={LoginInit: (offer_passkeys_in_form, offer_providers), Success: (sign_in, trust_device)},
    after={**_KEPT, PasswordCreation: (persist_password,)},
    after_part={CREDENTIAL_USAGE.name: (schedule_after_login,)},
)

REGISTRATION = Flow(
    "registration",
    start=(Preflight, RegistrationInit),
    states={
        RegistrationInit: (RegisterLoginIdentifier, RememberMe, ThirdpartyOauth),
        ThirdParty: (ExchangeToken, GoBack),
        Success: (),
        Error: (),
    },
    parts=_PARTS,
    error=Error,
    before_action=(refuse_what_has_changed,),
    after_action=(keep_up,),
    before={Success: (create_user, sign_up, trust_device)},
    after=_KEPT,
    after_part={
        "registration": (schedule_after_provider,),
        CREDENTIAL_USAGE.name: (schedule_after_provider,),
    },
)

TOKEN_EXCHANGE = Flow(
    "token_exchange",
    start=(ThirdParty,),
    states={ThirdParty: (ExchangeToken,), Success: (), Error: ()},
    parts=_PARTS,
    error=Error,
    before_action=(refuse_what_has_changed,),
    after_action=(keep_up,),
    lifetime=timedelta(minutes=60),
    before={Success: (sign_in, trust_device)},
    after=_KEPT,
    after_part={
        "token_exchange": (schedule_after_provider,),
        CREDENTIAL_USAGE.name: (schedule_after_provider,),
        CAPABILITIES.name: (schedule_after_provider,),
    },
    guards=(_refuse_without_providers,),
)

FLOWS: Mapping[Kind, Flow] = {
    flow.kind: flow for flow in (LOGIN, REGISTRATION, PROFILE, TOKEN_EXCHANGE)
}
