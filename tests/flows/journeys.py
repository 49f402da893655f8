"""Journeys that lead through every state of every flow and take every action, step by step.

A step names the state it is taken in, so that a journey reads as what a person sees; whoever takes
it checks that the flow is there. What is sent may depend on what was shown or mailed before.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from credentials.authenticator import Authenticator
from factories import make_session
from federation.providers import ERRORS, TARGET, VERIFIER, come_back, token_of
from flows.members import code_of
from flows.people import ADA, PASSWORD, named, person, with_passkey, with_totp
from flows.walking import Client, Shown, mailed_code

from app.access import SYSTEM, Origin
from app.assembly import Services
from app.config.federation_sections import ThirdParty
from app.credentials.totp_codes import code_at, step_at
from app.users import Account, NewEmail, NewUser, ProfileChanges

BOB = "bob@example.com"
EVE = "eve@example.com"
FRESH = "an umbrella for tomorrow"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@dataclass
class World:
    """Who goes on a journey, and what they have."""

    services: Services
    client: Client
    authenticator: Authenticator = field(default_factory=Authenticator)
    secret: str = ""
    recovery_code: str = ""
    account: Account | None = None

    @property
    def mine(self) -> Account:
        assert self.account is not None
        return self.account


Inputs = Mapping[str, Any] | Callable[[World, Shown], Awaitable[Mapping[str, Any]]]
Step = tuple[str, str, Inputs]
Prepare = Callable[[World], Awaitable[None]]


async def nobody(world: World) -> None:
    """There is no user yet."""


@dataclass(frozen=True)
class Journey:
    """A way through a flow.

    Attributes:
        steps: What is done, each in a state.
        end: The state that it ends in.
        error: What the end tells, where it is not a success.
        settings: What is configured otherwise than by default.
        recorded: The states whose answers are recorded from this journey.
    """

    kind: str
    steps: tuple[Step, ...]
    end: str = "success"
    error: str | None = None
    prepare: Prepare = nobody
    settings: Mapping[str, Any] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()


# What is sent


def device(*, webauthn: bool = True, platform: bool = True) -> Step:
    """The first step, as a device takes it."""
    inputs = {
        "webauthn_available": webauthn,
        "webauthn_conditional_mediation_available": webauthn,
        "webauthn_platform_authenticator_available": platform,
    }
    return ("preflight", "register_client_capabilities", inputs)


async def mailed(world: World, _: Shown) -> Mapping[str, Any]:
    """The code of the newest mail to Ada."""
    return {"code": await mailed_code(world.services, ADA)}


async def mailed_to_eve(world: World, _: Shown) -> Mapping[str, Any]:
    return {"code": await mailed_code(world.services, EVE)}


async def mailed_to_bob(world: World, _: Shown) -> Mapping[str, Any]:
    return {"code": await mailed_code(world.services, BOB)}


async def asserted(world: World, shown: Shown) -> Mapping[str, Any]:
    """What Ada's authenticator makes of the options."""
    options = shown.payload["request_options"]["publicKey"]
    return {"assertion_response": world.authenticator.get(options)}


async def attested(world: World, shown: Shown) -> Mapping[str, Any]:
    """A new credential."""
    options = shown.payload["creation_options"]["publicKey"]
    return {"public_key": Authenticator().create(options)}


async def app_code(world: World, _: Shown) -> Mapping[str, Any]:
    """What Ada's app shows."""
    return {"otp_code": code_of(world.services, world.secret)}


async def new_app_code(world: World, shown: Shown) -> Mapping[str, Any]:
    """What an app shows that has just been given the secret."""
    return {"otp_code": code_at(shown.payload["otp_secret"], step_at(world.services.clock()))}


async def recovery_code(world: World, _: Shown) -> Mapping[str, Any]:
    return {"recovery_code": world.recovery_code}


async def email_of(world: World, address: str) -> Mapping[str, Any]:
    emails = (await world.services.users.emails_of([world.mine.id]))[world.mine.id]
    return {"email_id": str(next(one.id for one in emails if one.address == address))}


async def email_of_ada(world: World, _: Shown) -> Mapping[str, Any]:
    return await email_of(world, ADA)


async def email_of_bob(world: World, _: Shown) -> Mapping[str, Any]:
    return await email_of(world, BOB)


async def email_of_eve(world: World, _: Shown) -> Mapping[str, Any]:
    return await email_of(world, EVE)


async def my_passkey(world: World, _: Shown) -> Mapping[str, Any]:
    (one,) = await world.services.passkeys.list(world.mine.id)
    return {"passkey_id": one.credential_id}


async def my_passkey_renamed(world: World, shown: Shown) -> Mapping[str, Any]:
    return {**await my_passkey(world, shown), "passkey_name": "The blue one"}


async def my_security_key(world: World, _: Shown) -> Mapping[str, Any]:
    (one,) = await world.services.passkeys.list(world.mine.id)
    return {"security_key_id": one.credential_id}


async def other_session(_: World, shown: Shown) -> Mapping[str, Any]:
    (one,) = shown.actions["session_delete"]["session_id"]["allowed_values"]
    return {"session_id": one["value"]}


async def returned(world: World, shown: Shown) -> Mapping[str, Any]:
    """The token that Ada's browser brings back from the provider, and what her page has kept."""
    secret = world.client.cookies["hanko_thirdparty_state"]
    back = await come_back(world.services, shown.payload["redirect_url"], secret)
    return {"token": back["hanko_token"], "code_verifier": VERIFIER}


async def brought(world: World, _: Shown) -> Mapping[str, Any]:
    """A token of a sign-in that no flow has begun."""
    return {"token": await token_of(world.services), "code_verifier": VERIFIER}


async def my_identity(_: World, shown: Shown) -> Mapping[str, Any]:
    asked = shown.actions["disconnect_thirdparty_oauth_provider"]["identity_id"]
    (one,) = asked["allowed_values"]
    return {"identity_id": one["value"]}


# Who it is


async def ada(world: World) -> None:
    """Ada has an address and a password."""
    world.account = await person(world.services)


async def ada_by_mail(world: World) -> None:
    """Ada has an address alone."""
    world.account = await person(world.services, password=None)


async def ada_by_name(world: World) -> None:
    """Ada has a user name and a password, and no address."""
    world.account = await named(world.services, "ada")


async def ada_with_passkey(world: World) -> None:
    await ada(world)
    world.authenticator = await with_passkey(world.services, world.mine)


async def ada_with_app(world: World) -> None:
    """Ada has an authenticator app, and recovery codes beside."""
    await ada(world)
    world.secret = await with_totp(world.services, world.mine)
    codes = await world.services.recovery_codes.generate(SYSTEM, world.mine.id)
    world.recovery_code = codes[0]


async def ada_with_key(world: World) -> None:
    """Ada has a security key as well."""
    await ada_with_app(world)
    world.authenticator = await with_passkey(world.services, world.mine, "security_key")


async def ada_with_name_and_passkey(world: World) -> None:
    """Ada has a user name and a passkey, and nothing else."""
    new = NewUser(profile=ProfileChanges(username="ada"))
    world.account, _ = await world.services.users.create(SYSTEM, new)
    world.authenticator = await with_passkey(world.services, world.mine)


async def ada_signed_in(world: World) -> None:
    """Ada is signed in twice, and has a second address that nobody has proved."""
    await ada(world)
    await world.services.users.add_email(SYSTEM, world.mine.id, NewEmail(BOB))
    await make_session(world.services, world.mine)
    world.services.clock.advance(seconds=1)
    where = Origin(address="192.0.2.7", user_agent=FIREFOX)
    issued = await world.services.sessions.issue(SYSTEM, world.mine.id, where)
    world.client.cookies["hanko"] = issued.token


def at_provider(prepare: Prepare, **given: Any) -> Prepare:
    """Google knows Ada as well."""

    async def prepared(world: World) -> None:
        await prepare(world)
        google_of(world.services).knows(**given)

    return prepared


def google_of(services: Services) -> Any:
    """The double that stands for Google."""
    connectors: Any = services.federation.connectors
    return connectors.doubles["google"]


# The journeys

TYPED: Step = ("login_init", "continue_with_login_identifier", {"email": ADA})
TYPED_NAME: Step = ("login_init", "continue_with_login_identifier", {"identifier": "ada"})
BY_PASSWORD: tuple[Step, ...] = (
    TYPED,
    ("login_method_chooser", "continue_to_password_login", {}),
    ("login_password", "password_login", {"password": PASSWORD}),
)
BY_PASSWORD_AND_NAME: tuple[Step, ...] = (TYPED_NAME, *BY_PASSWORD[1:])
BY_CODE: tuple[Step, ...] = (
    TYPED,
    ("login_method_chooser", "continue_to_passcode_confirmation", {}),
    ("passcode_confirmation", "verify_passcode", mailed),
)
REGISTERED: tuple[Step, ...] = (
    device(),
    ("registration_init", "register_login_identifier", {"email": ADA}),
)
QUIET = {"passkey__acquire_on_login": "never", "mfa__acquire_on_login": False}
NAMES = {**QUIET, "username__enabled": True}
UNPROVED = {"email__require_verification": False}
PROVIDERS = {"third_party": ThirdParty(error_redirect_url=ERRORS, allowed_redirect_urls=[TARGET])}
NAMED = {**PROVIDERS, "username__enabled": True}
TO_GOOGLE = {"provider": "google", "redirect_to": TARGET, "code_verifier": VERIFIER}
FROM_LOGIN: tuple[Step, ...] = (
    device(),
    ("login_init", "thirdparty_oauth", TO_GOOGLE),
    ("thirdparty", "exchange_token", returned),
)
FROM_REGISTRATION: tuple[Step, ...] = (
    device(),
    ("registration_init", "thirdparty_oauth", TO_GOOGLE),
    ("thirdparty", "exchange_token", returned),
)
BROUGHT: Step = ("thirdparty", "exchange_token", brought)
_TO_APP: Step = ("mfa_method_chooser", "continue_to_otp_secret_creation", {})
_TO_KEY: Step = ("mfa_method_chooser", "continue_to_security_key_creation", {})
_ATTEST = "webauthn_verify_attestation_response"
_OFFER = "webauthn_generate_creation_options"
_ASSERT = "webauthn_verify_assertion_response"
_ASK = "webauthn_generate_request_options"

WITH_KEY: tuple[Step, ...] = (
    ("login_security_key", "continue_to_login_otp", {}),
    ("login_otp", "continue_to_login_security_key", {}),
    ("login_security_key", _ASK, {}),
    ("login_passkey", "back", {}),
    ("login_security_key", _ASK, {}),
    ("login_passkey", _ASSERT, asserted),
    ("onboarding_username", "skip", {}),
    ("device_trust", "back", {}),
    ("onboarding_username", "skip", {}),
    ("device_trust", "trust_device", {}),
)
WITH_APP: tuple[Step, ...] = (
    ("login_otp", "otp_code_validate", app_code),
    ("device_trust", "skip", {}),
)
ON_PAPER: tuple[Step, ...] = (
    ("login_otp", "recovery_code_validate", recovery_code),
    ("device_trust", "skip", {}),
)
KEY_ON_PAPER: tuple[Step, ...] = (
    ("login_security_key", "recovery_code_validate", recovery_code),
    ("device_trust", "skip", {}),
)
ASKED_FOR_ALL: tuple[Step, ...] = (
    ("onboarding_email", "email_address_set", {"email": ADA}),
    ("passcode_confirmation", "resend_passcode", {}),
    ("passcode_confirmation", "back", {}),
    ("onboarding_email", "email_address_set", {"email": ADA}),
    ("passcode_confirmation", "verify_passcode", mailed),
    ("onboarding_username", "username_create", {"username": "ada"}),
)
SKIPPED: tuple[Step, ...] = (
    ("onboarding_email", "skip", {}),
    ("onboarding_username", "skip", {}),
)
MUST = {**PROVIDERS, "mfa__optional": False, "mfa__acquire_on_login": True}

JOURNEYS: Mapping[str, Journey] = {
    # Login
    "a login by password, and a passkey for the next time": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            ("onboarding_create_passkey", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", "back", {}),
            ("onboarding_create_passkey", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", _ATTEST, attested),
        ),
        prepare=ada,
        recorded=(
            "preflight",
            "login_init",
            "login_method_chooser",
            "login_password",
            "onboarding_create_passkey",
            "onboarding_verify_passkey_attestation",
            "success",
        ),
    ),
    "a login that goes back wherever it can": Journey(
        "login",
        (
            device(),
            ("login_init", _ASK, {}),
            ("login_passkey", "back", {}),
            TYPED,
            ("login_method_chooser", "back", {}),
            TYPED,
            ("login_method_chooser", "continue_to_password_login", {}),
            ("login_password", "back", {}),
            ("login_method_chooser", "continue_to_passcode_confirmation", {}),
            ("passcode_confirmation", "resend_passcode", {}),
            ("passcode_confirmation", "back", {}),
            ("login_method_chooser", _ASK, {}),
            ("login_passkey", _ASSERT, asserted),
        ),
        prepare=ada_with_passkey,
        recorded=("login_passkey", "passcode_confirmation"),
    ),
    "a passkey that the form has offered": Journey(
        "login", (device(), ("login_init", _ASSERT, asserted)), prepare=ada_with_passkey
    ),
    "a passkey that may be made and is not": Journey(
        "login",
        (device(), *BY_PASSWORD, ("onboarding_create_passkey", "skip", {})),
        prepare=ada,
    ),
    "a password that was forgotten": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD[:2],
            ("login_password", "continue_to_passcode_confirmation_recovery", {}),
            ("passcode_confirmation", "verify_passcode", mailed),
            ("login_password_recovery", "password_recovery", {"new_password": FRESH}),
        ),
        prepare=ada,
        settings=QUIET,
        recorded=("login_password_recovery",),
    ),
    "an authenticator app": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            ("login_otp", "otp_code_validate", app_code),
            ("device_trust", "skip", {}),
        ),
        prepare=ada_with_app,
        settings=QUIET,
        recorded=("login_otp", "device_trust"),
    ),
    "a recovery code instead of the app": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            ("login_otp", "recovery_code_validate", recovery_code),
            ("device_trust", "trust_device", {}),
        ),
        prepare=ada_with_app,
        settings=QUIET,
    ),
    "a security key, after a look at the app": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            ("login_security_key", "continue_to_login_otp", {}),
            ("login_otp", "continue_to_login_security_key", {}),
            ("login_security_key", _ASK, {}),
            ("login_passkey", _ASSERT, asserted),
            ("device_trust", "skip", {}),
        ),
        prepare=ada_with_key,
        settings=QUIET,
        recorded=("login_security_key",),
    ),
    "a recovery code instead of the security key": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            ("login_security_key", "recovery_code_validate", recovery_code),
            ("device_trust", "skip", {}),
        ),
        prepare=ada_with_key,
        settings=QUIET,
    ),
    "a device that is trusted on second thoughts": Journey(
        "login",
        (
            device(),
            ("login_init", "continue_with_login_identifier", {"identifier": ADA}),
            *BY_PASSWORD[1:],
            ("login_otp", "otp_code_validate", app_code),
            ("onboarding_username", "skip", {}),
            ("device_trust", "back", {}),
            ("onboarding_username", "skip", {}),
            ("device_trust", "trust_device", {}),
        ),
        prepare=ada_with_app,
        settings=NAMES,
    ),
    "a user name is asked for": Journey(
        "login",
        (
            device(),
            ("login_init", "continue_with_login_identifier", {"identifier": ADA}),
            *BY_PASSWORD[1:],
            ("onboarding_username", "username_create", {"username": "ada"}),
        ),
        prepare=ada,
        settings=NAMES,
        recorded=("onboarding_username",),
    ),
    "an address is asked for": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD_AND_NAME,
            ("onboarding_email", "email_address_set", {"email": ADA}),
            ("passcode_confirmation", "verify_passcode", mailed),
        ),
        prepare=ada_by_name,
        settings=NAMES,
    ),
    "an address is asked for and not given": Journey(
        "login",
        (device(), *BY_PASSWORD_AND_NAME, ("onboarding_email", "skip", {})),
        prepare=ada_by_name,
        settings={**NAMES, "email__optional": True},
        recorded=("onboarding_email",),
    ),
    "a choice of credentials, looked at and left": Journey(
        "login",
        (
            device(),
            ("login_init", "continue_with_login_identifier", {"identifier": ADA}),
            *BY_CODE[1:],
            ("onboarding_username", "skip", {}),
            ("credential_onboarding_chooser", "back", {}),
            ("onboarding_username", "skip", {}),
            ("credential_onboarding_chooser", "continue_to_passkey_registration", {}),
            ("onboarding_create_passkey", "back", {}),
            ("credential_onboarding_chooser", "continue_to_password_registration", {}),
            ("password_creation", "back", {}),
            ("credential_onboarding_chooser", "skip", {}),
        ),
        prepare=ada_by_mail,
        settings={
            "username__enabled": True,
            "passkey__acquire_on_login": "conditional",
            "password__acquire_on_login": "conditional",
        },
        recorded=("credential_onboarding_chooser",),
    ),
    "a password is asked for": Journey(
        "login",
        (
            device(),
            *BY_CODE,
            ("password_creation", "register_password", {"new_password": FRESH}),
        ),
        prepare=ada_by_mail,
        settings={**QUIET, "password__acquire_on_login": "always", "password__optional": True},
        recorded=("password_creation",),
    ),
    "a password is asked for and not given": Journey(
        "login",
        (device(), *BY_CODE, ("password_creation", "skip", {})),
        prepare=ada_by_mail,
        settings={**QUIET, "password__acquire_on_login": "always", "password__optional": True},
    ),
    "a second factor is asked for, and it is an app": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            _TO_APP,
            ("mfa_otp_secret_creation", "back", {}),
            _TO_KEY,
            ("mfa_security_key_creation", "back", {}),
            _TO_APP,
            ("mfa_otp_secret_creation", "otp_code_verify", new_app_code),
        ),
        prepare=ada,
        settings={**QUIET, "mfa__acquire_on_login": True},
        recorded=(
            "mfa_method_chooser",
            "mfa_otp_secret_creation",
            "mfa_security_key_creation",
        ),
    ),
    "a second factor is asked for, and it is a key": Journey(
        "login",
        (
            device(),
            *BY_PASSWORD,
            _TO_KEY,
            ("mfa_security_key_creation", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", _ATTEST, attested),
        ),
        prepare=ada,
        settings={**QUIET, "mfa__acquire_on_login": True},
    ),
    "everything is asked for, and only the address is given": Journey(
        "login",
        (
            device(),
            ("login_init", _ASSERT, asserted),
            ("onboarding_email", "email_address_set", {"email": ADA}),
            ("password_creation", "skip", {}),
            ("mfa_method_chooser", "back", {}),
            ("password_creation", "skip", {}),
            ("mfa_method_chooser", "skip", {}),
        ),
        prepare=ada_with_name_and_passkey,
        settings={
            **UNPROVED,
            "username__enabled": True,
            "email__optional": True,
            "mfa__acquire_on_login": True,
            "password__acquire_on_login": "always",
            "password__optional": True,
            "passkey__acquire_on_login": "never",
        },
    ),
    "a session that outlives the browser": Journey(
        "login",
        (device(), ("login_init", "remember_me", {"remember_me": True}), *BY_PASSWORD),
        prepare=ada,
        settings={**QUIET, "session__cookie__retention": "prompt"},
    ),
    "an account that nothing opens": Journey(
        "login",
        (device(), TYPED),
        end="error",
        error="flow_discontinuity_error",
        prepare=ada_by_mail,
        settings={
            **QUIET,
            "privacy__only_show_actual_login_methods": True,
            "email__use_for_authentication": False,
        },
        recorded=("error",),
    ),
    "a provider, on second thoughts": Journey(
        "login",
        (*FROM_LOGIN[:2], ("thirdparty", "back", {}), *FROM_LOGIN[1:]),
        prepare=at_provider(ada),
        settings=PROVIDERS,
        recorded=("thirdparty",),
    ),
    # Registration
    "a registration by a provider, which asks for the rest": Journey(
        "registration",
        (
            *FROM_REGISTRATION[:2],
            ("thirdparty", "back", {}),
            *FROM_REGISTRATION[1:],
            *ASKED_FOR_ALL,
        ),
        prepare=at_provider(nobody, email=None),
        settings=NAMED,
        recorded=("thirdparty", "onboarding_email", "onboarding_username"),
    ),
    "a registration by a provider that gives as little as it can": Journey(
        "registration",
        (*FROM_REGISTRATION, *SKIPPED),
        prepare=at_provider(nobody, email=None),
        settings={**NAMED, "email__optional": True},
    ),
    "a registration by a provider of who has a security key": Journey(
        "registration",
        (*FROM_REGISTRATION, *WITH_KEY),
        prepare=at_provider(ada_with_key),
        settings=NAMED,
        recorded=("login_security_key", "login_otp", "login_passkey", "device_trust"),
    ),
    "a registration by a provider of who has an app": Journey(
        "registration",
        (*FROM_REGISTRATION, *WITH_APP),
        prepare=at_provider(ada_with_app),
        settings=PROVIDERS,
    ),
    "a registration by a provider of who has recovery codes": Journey(
        "registration",
        (*FROM_REGISTRATION, *ON_PAPER),
        prepare=at_provider(ada_with_app),
        settings=PROVIDERS,
    ),
    "a registration by a provider of who has left the key at home": Journey(
        "registration",
        (*FROM_REGISTRATION, *KEY_ON_PAPER),
        prepare=at_provider(ada_with_key),
        settings=PROVIDERS,
    ),
    "a registration that gives all it is asked for": Journey(
        "registration",
        (
            *REGISTERED,
            ("passcode_confirmation", "resend_passcode", {}),
            ("passcode_confirmation", "back", {}),
            REGISTERED[1],
            ("passcode_confirmation", "verify_passcode", mailed),
            ("password_creation", "register_password", {"new_password": FRESH}),
            _TO_KEY,
            ("mfa_security_key_creation", "back", {}),
            _TO_APP,
            ("mfa_otp_secret_creation", "back", {}),
            _TO_APP,
            ("mfa_otp_secret_creation", "otp_code_verify", new_app_code),
            ("onboarding_create_passkey", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", "back", {}),
            ("onboarding_create_passkey", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", _ATTEST, attested),
        ),
        recorded=(
            "preflight",
            "registration_init",
            "passcode_confirmation",
            "password_creation",
            "mfa_method_chooser",
            "mfa_security_key_creation",
            "mfa_otp_secret_creation",
            "onboarding_create_passkey",
            "onboarding_verify_passkey_attestation",
            "success",
        ),
    ),
    "a registration with a security key": Journey(
        "registration",
        (
            *REGISTERED,
            ("passcode_confirmation", "verify_passcode", mailed),
            ("password_creation", "register_password", {"new_password": FRESH}),
            _TO_KEY,
            ("mfa_security_key_creation", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", _ATTEST, attested),
            ("onboarding_create_passkey", "skip", {}),
        ),
    ),
    "a registration with a choice of credentials": Journey(
        "registration",
        (
            *REGISTERED,
            ("credential_onboarding_chooser", "back", {}),
            REGISTERED[1],
            ("credential_onboarding_chooser", "continue_to_password_registration", {}),
            ("password_creation", "back", {}),
            ("credential_onboarding_chooser", "continue_to_passkey_registration", {}),
            ("onboarding_create_passkey", "back", {}),
            ("credential_onboarding_chooser", "skip", {}),
            ("mfa_method_chooser", "skip", {}),
        ),
        settings={
            **UNPROVED,
            "passkey__acquire_on_registration": "conditional",
            "password__acquire_on_registration": "conditional",
        },
        recorded=("credential_onboarding_chooser",),
    ),
    "a registration that gives as little as it can": Journey(
        "registration",
        (
            *REGISTERED,
            ("onboarding_create_passkey", "skip", {}),
            ("password_creation", "skip", {}),
            ("mfa_method_chooser", "back", {}),
            ("password_creation", "skip", {}),
            ("mfa_method_chooser", "skip", {}),
        ),
        settings={**UNPROVED, "password__optional": True},
    ),
    "a registration that is remembered": Journey(
        "registration",
        (
            device(),
            ("registration_init", "remember_me", {"remember_me": True}),
            REGISTERED[1],
        ),
        settings={
            **UNPROVED,
            "session__cookie__retention": "prompt",
            "passkey__acquire_on_registration": "never",
            "password__acquire_on_registration": "never",
            "mfa__acquire_on_registration": False,
        },
    ),
    "a registration on a device that lacks what is demanded": Journey(
        "registration",
        (
            device(platform=False),
            REGISTERED[1],
            ("passcode_confirmation", "verify_passcode", mailed),
        ),
        end="error",
        error="platform_authenticator_required",
        settings={
            "passkey__acquire_on_registration": "never",
            "password__acquire_on_registration": "never",
            "mfa__optional": False,
            "mfa__totp__enabled": False,
            "mfa__security_keys__authenticator_attachment": "platform",
        },
        recorded=("error",),
    ),
    # Token exchange
    "a token of somebody new, who is asked for the rest": Journey(
        "token_exchange",
        (BROUGHT, *ASKED_FOR_ALL),
        prepare=at_provider(nobody, email=None),
        settings=NAMED,
        recorded=(
            "thirdparty",
            "onboarding_email",
            "passcode_confirmation",
            "onboarding_username",
            "success",
        ),
    ),
    "a token of somebody new who gives as little as can be": Journey(
        "token_exchange",
        (BROUGHT, *SKIPPED),
        prepare=at_provider(nobody, email=None),
        settings={**NAMED, "email__optional": True},
    ),
    "a token of who has a security key": Journey(
        "token_exchange",
        (BROUGHT, device(), *WITH_KEY),
        prepare=at_provider(ada_with_key),
        settings=NAMED,
        recorded=(
            "preflight",
            "login_security_key",
            "login_otp",
            "login_passkey",
            "device_trust",
        ),
    ),
    "a token of who has an app": Journey(
        "token_exchange",
        (BROUGHT, *WITH_APP),
        prepare=at_provider(ada_with_app),
        settings=PROVIDERS,
    ),
    "a token of who has recovery codes": Journey(
        "token_exchange",
        (BROUGHT, *ON_PAPER),
        prepare=at_provider(ada_with_app),
        settings=PROVIDERS,
    ),
    "a token of who has left the key at home": Journey(
        "token_exchange",
        (BROUGHT, device(), *KEY_ON_PAPER),
        prepare=at_provider(ada_with_key),
        settings=PROVIDERS,
    ),
    "a token of who must have a second factor, and it is an app": Journey(
        "token_exchange",
        (
            BROUGHT,
            device(),
            ("mfa_method_chooser", "back", {}),
            device(),
            _TO_APP,
            ("mfa_otp_secret_creation", "back", {}),
            _TO_KEY,
            ("mfa_security_key_creation", "back", {}),
            _TO_APP,
            ("mfa_otp_secret_creation", "otp_code_verify", new_app_code),
        ),
        prepare=at_provider(ada),
        settings=MUST,
        recorded=("mfa_method_chooser", "mfa_otp_secret_creation", "mfa_security_key_creation"),
    ),
    "a token of who must have a second factor, and it is a key": Journey(
        "token_exchange",
        (
            BROUGHT,
            device(),
            _TO_KEY,
            ("mfa_security_key_creation", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", "back", {}),
            ("mfa_security_key_creation", _OFFER, {}),
            ("onboarding_verify_passkey_attestation", _ATTEST, attested),
        ),
        prepare=at_provider(ada),
        settings=MUST,
        recorded=("onboarding_verify_passkey_attestation",),
    ),
    "a token on a device that lacks what is demanded": Journey(
        "token_exchange",
        (BROUGHT, device(platform=False)),
        end="error",
        error="platform_authenticator_required",
        prepare=at_provider(ada),
        settings={
            **MUST,
            "mfa__totp__enabled": False,
            "mfa__security_keys__authenticator_attachment": "platform",
        },
        recorded=("error",),
    ),
    # Profile
    "a provider, connected and given up": Journey(
        "profile",
        (
            device(),
            ("profile_init", "connect_thirdparty_oauth_provider", TO_GOOGLE),
            ("thirdparty", "back", {}),
            ("profile_init", "connect_thirdparty_oauth_provider", TO_GOOGLE),
            ("thirdparty", "exchange_token", returned),
            ("profile_init", "disconnect_thirdparty_oauth_provider", my_identity),
        ),
        end="profile_init",
        prepare=at_provider(ada_signed_in),
        settings=PROVIDERS,
        recorded=("thirdparty",),
    ),
    "a profile in which everything is changed": Journey(
        "profile",
        (
            device(),
            ("profile_init", "session_delete", other_session),
            ("profile_init", "patch_metadata", {"patch_metadata": {"theme": "dark"}}),
            ("profile_init", "email_create", {"email": EVE}),
            ("passcode_confirmation", "resend_passcode", {}),
            ("passcode_confirmation", "back", {}),
            ("profile_init", "email_create", {"email": EVE}),
            ("passcode_confirmation", "verify_passcode", mailed_to_eve),
            ("profile_init", "email_set_primary", email_of_eve),
            ("profile_init", "email_verify", email_of_bob),
            ("passcode_confirmation", "verify_passcode", mailed_to_bob),
            ("profile_init", "email_delete", email_of_ada),
            ("profile_init", "password_update", {"password": FRESH}),
            ("profile_init", "password_delete", {}),
            ("profile_init", "password_create", {"password": PASSWORD}),
            ("profile_init", "username_create", {"username": "ada"}),
            ("profile_init", "username_update", {"username": "ada_l"}),
            ("profile_init", "username_delete", {}),
            ("profile_init", "continue_to_otp_secret_creation", {}),
            ("mfa_otp_secret_creation", "back", {}),
            ("profile_init", "continue_to_otp_secret_creation", {}),
            ("mfa_otp_secret_creation", "otp_code_verify", new_app_code),
            ("profile_init", "otp_secret_delete", {}),
            ("profile_init", "webauthn_credential_create", {}),
            ("webauthn_credential_verification", "back", {}),
            ("profile_init", "webauthn_credential_create", {}),
            ("webauthn_credential_verification", _ATTEST, attested),
            ("profile_init", "webauthn_credential_rename", my_passkey_renamed),
            ("profile_init", "webauthn_credential_delete", my_passkey),
            ("profile_init", "security_key_create", {}),
            ("webauthn_credential_verification", _ATTEST, attested),
            ("profile_init", "security_key_delete", my_security_key),
            ("profile_init", "account_delete", {}),
        ),
        end="account_deleted",
        prepare=ada_signed_in,
        settings={
            "account__allow_deletion": True,
            "username__enabled": True,
            "password__optional": True,
        },
        recorded=(
            "preflight",
            "profile_init",
            "passcode_confirmation",
            "mfa_otp_secret_creation",
            "webauthn_credential_verification",
            "account_deleted",
        ),
    ),
}


async def travelled(journey: Journey, world: World, see: Callable[[Shown], None]) -> None:
    """Go on a journey, and see every state on the way."""
    await journey.prepare(world)
    shown = await world.client.start(journey.kind)
    see(shown)
    for state, action, inputs in journey.steps:
        assert (shown.name, shown.error) == (state, None), (state, action, shown)
        assert action in shown.actions
        given = inputs if isinstance(inputs, Mapping) else await inputs(world, shown)
        shown = await world.client.act(action, **given)
        see(shown)
    assert (shown.name, shown.error) == (journey.end, journey.error), shown
    assert bool(shown.token) == (journey.end == "success")
