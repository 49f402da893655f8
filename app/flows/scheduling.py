"""What comes after a first factor, and when (§3.8)."""

from app.config.sections import Config, Email, Username
from app.flows.errors import PlatformAuthenticatorRequired
from app.flows.stash import Has, Stash
from app.flows.state import State
from app.flows.states import (
    CredentialOnboardingChooser,
    DeviceTrust,
    Error,
    LoginOtp,
    LoginPasswordRecovery,
    LoginSecurityKey,
    MfaMethodChooser,
    OnboardingCreatePasskey,
    OnboardingEmail,
    OnboardingUsername,
    PasswordCreation,
    Success,
)
from app.flows.step import Step

States = tuple[type[State], ...]


async def schedule_after_login(step: Step) -> None:
    """Schedule, once in a flow, all that follows the first factor (§3.8.1).

    The second factor is asked for before one is made, or whoever signs in could make their own; a
    recovery ends all trust in browsers, so none spares it (SEC-038).
    """
    stash = step.stash
    if stash.onboarding_scheduled:
        return
    stash.onboarding_scheduled = True
    if stash.user_id is not None:
        devices, cookie = step.domains.trusted_devices, step.request.device_trust
        is_trusted = await devices.is_trusted(stash.user_id, cookie)
        stash.trusted_device = is_trusted and not stash.recovery_pending
    step.schedule(*await _second_factor(step))
    schedule_mfa_creation(step)
    step.schedule(*_details(step.config, stash))
    if not stash.by_provider:
        step.schedule(*credential_onboarding(step.config, stash))
    if _asks_for_trust(step.config, stash):
        step.schedule(DeviceTrust)
    step.schedule(Success)


async def schedule_after_provider(step: Step) -> None:
    """Schedule the same after a provider in a flow that is no login (Q-13, Q-14).

    What is scheduled already comes first: the proof of an address, what the device can do.
    """
    if step.stash.by_provider and not step.scheduled and not step.stored:
        await schedule_after_login(step)


async def _second_factor(step: Step) -> States:
    """Ask for a second factor where one is needed; one on paper needs nothing of the device."""
    config, stash = step.config, step.stash
    asked = second_factor(config, stash) if needs_second_factor(config, stash) else ()
    if asked != (Error,) or stash.user_id is None:
        return asked
    if await step.domains.recovery_codes.left(stash.user_id):
        return (LoginSecurityKey,)
    step.fail(PlatformAuthenticatorRequired())
    return asked


def needs_second_factor(config: Config, stash: Stash) -> bool:
    """Say whether a second factor has to be shown, whichever the first was (SEC-032).

    A passkey whose user was verified is both (SEC-047); any other is one factor.
    """
    is_both = stash.login_method == "passkey" and stash.passkey_verified_user
    return config.mfa.enabled and not is_both and not stash.trusted_device


def second_factor(config: Config, stash: Stash) -> States:
    """Decide which second factor is asked for (§3.8.2)."""
    has_totp = config.mfa.totp.enabled and stash.has.otp_secret
    if config.mfa.security_keys.enabled and stash.has.security_key:
        if uses_security_keys(stash):
            return (LoginSecurityKey,)
        return (LoginOtp,) if has_totp else (Error,)
    return (LoginOtp,) if has_totp else ()


def uses_security_keys(stash: Stash) -> bool:
    """Say whether a security key can be used, and made, on the device."""
    return stash.webauthn_available and stash.security_key_attachment


def makes_security_keys(config: Config, stash: Stash) -> bool:
    """Say whether a security key can be made here, on the device."""
    rules = config.mfa.security_keys
    return config.mfa.enabled and rules.enabled and rules.limit > 0 and uses_security_keys(stash)


def depends_on_device(config: Config, stash: Stash) -> bool:
    """Say whether what follows a provider depends on what the device can do."""
    if stash.has.security_key and config.mfa.security_keys.enabled:
        return needs_second_factor(config, stash)
    return not stash.has.second_factor and _acquires_mfa(config, "token_exchange", stash)


def has_second_factor(config: Config, has: Has) -> bool:
    """Say whether one of the user's second factors is in use here."""
    has_key = config.mfa.security_keys.enabled and has.security_key
    return config.mfa.enabled and (has_key or (config.mfa.totp.enabled and has.otp_secret))


def _details(config: Config, stash: Stash) -> States:
    """List the states that ask for what an account lacks; after a provider the address first.

    An account that a provider has just brought is asked for what a registration asks for.
    """
    name: States = (OnboardingUsername,) if _asks_name(config.username, stash) else ()
    email: States = (OnboardingEmail,) if _asks_email(config.email, stash) else ()
    if stash.by_provider:
        return (*email, *name)
    return (*((LoginPasswordRecovery,) if stash.recovery_pending else ()), *name, *email)


def _asks_name(rules: Username, stash: Stash) -> bool:
    acquires = rules.acquire_on_registration if stash.is_new else rules.acquire_on_login
    return rules.enabled and acquires and not stash.has.username


def _asks_email(rules: Email, stash: Stash) -> bool:
    acquires = rules.acquire_on_registration if stash.is_new else rules.acquire_on_login
    return rules.enabled and acquires and not stash.has.emails


def credential_onboarding(config: Config, stash: Stash) -> States:
    """Decide which credentials are asked for after a login (§3.8.4); rows top-down.

    While a recovery is pending no password is asked for: one is about to be set (Q-47).
    """
    with_passkeys = stash.webauthn_available and config.passkey.enabled
    pk = config.passkey.acquire_on_login if with_passkeys else "never"
    pw = config.password.acquire_on_login if config.password.enabled else "never"
    has_passkey = stash.has.passkey
    has_password = stash.has.password or stash.recovery_pending
    create_passkey: States = () if has_passkey else (OnboardingCreatePasskey,)
    create_password: States = () if has_password else (PasswordCreation,)
    has_none = not has_passkey and not has_password
    if not with_passkeys or not config.password.enabled:
        return (*_unless_never(pk, create_passkey), *_unless_never(pw, create_password))
    if pk == "always" == pw:
        first = _password_first(config)
        return create_password + create_passkey if first else create_passkey + create_password
    if "always" in {pk, pw}:
        return create_passkey if pk == "always" else create_password
    if not has_none or {pk, pw} == {"never"}:
        return ()
    if pk == pw:
        return (CredentialOnboardingChooser,)
    return create_passkey if pk == "conditional" else create_password


def credential_registration(config: Config, stash: Stash) -> States:
    """Decide which credentials are asked for at registration (§2.2)."""
    with_passkeys = stash.webauthn_available and config.passkey.enabled
    pk = config.passkey.acquire_on_registration if with_passkeys else "never"
    pw = config.password.acquire_on_registration if config.password.enabled else "never"
    if not with_passkeys or not config.password.enabled:
        return (
            *_unless_never(pk, (OnboardingCreatePasskey,)),
            *_unless_never(pw, (PasswordCreation,)),
        )
    match (pk, pw):
        case ("always", "always"):
            both: States = (OnboardingCreatePasskey, PasswordCreation)
            return (both[1], both[0]) if _password_first(config) else both
        case ("conditional", "conditional"):
            return (CredentialOnboardingChooser,)
        case ("always", _) | ("conditional", "never"):
            return (OnboardingCreatePasskey,)
        case (_, "always") | ("never", "conditional"):
            return (PasswordCreation,)
        case _:
            return ()


def schedule_mfa_creation(step: Step) -> None:
    """Schedule the choice of a second factor where the account is to have one (§3.8.3).

    Where one must be made and this device cannot, the flow ends (Q-39). After a provider it is
    asked for with all the rest, when the device is known.
    """
    config, stash = step.config, step.stash
    if stash.by_provider and not stash.onboarding_scheduled:
        return
    if step.is_scheduled(PasswordCreation) or stash.recovery_pending:
        return
    if step.has_visited(MfaMethodChooser) or not _acquires_mfa(config, step.kind, stash):
        return
    if stash.has.second_factor or not _has_first_factor(config, stash):
        return
    if config.mfa.totp.enabled or makes_security_keys(config, stash):
        step.schedule(MfaMethodChooser)
    elif not config.mfa.optional:
        step.fail(PlatformAuthenticatorRequired())
        step.schedule(Error)


def _acquires_mfa(config: Config, kind: str, stash: Stash) -> bool:
    """Say whether a second factor is asked for; after a provider only one that must be (Q-14)."""
    mfa = config.mfa
    asks = {"login": mfa.acquire_on_login, "registration": mfa.acquire_on_registration}
    if stash.by_provider:
        kind = "registration" if stash.is_new else "login"
    some = mfa.security_keys.enabled or mfa.totp.enabled
    wanted = not stash.by_provider or not mfa.optional
    return mfa.enabled and some and wanted and asks.get(kind, False)


def _has_first_factor(config: Config, stash: Stash) -> bool:
    """Say whether the account signs in by something that a second factor would add to."""
    by_code = config.email.enabled and config.email.use_for_authentication and bool(stash.email)
    return stash.by_provider or (config.password.enabled and stash.has.password) or by_code


def _asks_for_trust(config: Config, stash: Stash) -> bool:
    return (
        config.mfa.enabled
        and config.mfa.device_trust_policy == "prompt"
        and stash.login_method != "passkey"
        and stash.has.second_factor
        and not stash.trusted_device
    )


def _password_first(config: Config) -> bool:
    """Say which comes first where both are asked for (order P*)."""
    return not config.password.optional and config.passkey.optional


def _unless_never(acquire: str, states: States) -> States:
    return () if acquire == "never" else states
