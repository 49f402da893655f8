"""Every state a flow can be in, and what a client may see of it.

They stand in one place because actions lead from each to many others.
"""

from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from app.flows.inputs import Choice
from app.flows.person import Person
from app.flows.stash import LoginMethod, MfaMethod
from app.flows.state import State
from app.sessions import Session

Json = Any
ONLY_TYPED = "only_typed"
"""Marks a member that the reference's JSON does not have, and GraphQL has."""

ALWAYS = "always"
"""Marks a member that is there whenever the state is shown."""

RetryAfter = Annotated[
    int | None, Meta(description="Seconds until the next try, where there were too many.")
]
Options = Annotated[Json, Meta(description="Options for `navigator.credentials`, as WebAuthn has.")]


class LastLogin(Struct, frozen=True):
    """How a user has signed in, for the sign-in page to remember."""

    login_method: Annotated[LoginMethod, Meta(description="The first factor.")]
    third_party_provider: Annotated[
        str | None, Meta(description="The provider, where one was used.")
    ] = None
    mfa_method: Annotated[
        MfaMethod | None, Meta(description="The second factor, where one was used.")
    ] = None


# Capabilities


class Preflight(State, frozen=True):
    """The client is to say what its device can do."""

    name: ClassVar[str] = "preflight"


# Credential usage


class LoginInit(State, frozen=True):
    """The person is to say who they are, or to use a passkey at once."""

    name: ClassVar[str] = "login_init"
    request_options: Options = None
    providers: Annotated[
        tuple[Choice, ...],
        Meta(description="Who else can say who the person is.", extra={ONLY_TYPED: True}),
    ] = ()


class LoginMethodChooser(State, frozen=True):
    """The person chooses how to sign in."""

    name: ClassVar[str] = "login_method_chooser"


class LoginPassword(State, frozen=True):
    """The person is to enter the password."""

    name: ClassVar[str] = "login_password"
    retry_after: RetryAfter = None


class LoginPasswordRecovery(State, frozen=True):
    """The person has proved to read the mail, and is to choose a new password."""

    name: ClassVar[str] = "login_password_recovery"


class LoginPasskey(State, frozen=True):
    """The browser is to use a passkey or a security key."""

    name: ClassVar[str] = "login_passkey"
    request_options: Options = None


class PasscodeConfirmation(State, frozen=True):
    """The person is to enter the code that was mailed."""

    name: ClassVar[str] = "passcode_confirmation"
    resend_after: Annotated[
        int | None, Meta(description="Seconds until a code can be mailed again.")
    ] = None
    attempts_left: Annotated[
        int | None,
        Meta(
            description="How often the code may still be entered, after a wrong one.",
            extra={ONLY_TYPED: True},
        ),
    ] = None


class ThirdParty(State, frozen=True):
    """The person signs in at a provider, and comes back with a token."""

    name: ClassVar[str] = "thirdparty"
    redirect_url: Annotated[
        str | None, Meta(description="Where to send the browser, when the state is entered.")
    ] = None


# Credential onboarding


class CredentialOnboardingChooser(State, frozen=True):
    """The person chooses which credential to make."""

    name: ClassVar[str] = "credential_onboarding_chooser"


class OnboardingCreatePasskey(State, frozen=True):
    """The person may make a passkey."""

    name: ClassVar[str] = "onboarding_create_passkey"


class OnboardingVerifyPasskeyAttestation(State, frozen=True):
    """The browser is to make a passkey or a security key."""

    name: ClassVar[str] = "onboarding_verify_passkey_attestation"
    creation_options: Options = None


class PasswordCreation(State, frozen=True):
    """The person chooses a password."""

    name: ClassVar[str] = "password_creation"


# User details


class OnboardingUsername(State, frozen=True):
    """The person chooses a user name."""

    name: ClassVar[str] = "onboarding_username"


class OnboardingEmail(State, frozen=True):
    """The person gives an e-mail address."""

    name: ClassVar[str] = "onboarding_email"


# Second factors: used, and made


class LoginSecurityKey(State, frozen=True):
    """The person is to use a security key as the second factor."""

    name: ClassVar[str] = "login_security_key"
    retry_after: RetryAfter = None


class LoginOtp(State, frozen=True):
    """The person is to enter a code of the authenticator app."""

    name: ClassVar[str] = "login_otp"
    retry_after: RetryAfter = None


class MfaMethodChooser(State, frozen=True):
    """The person chooses a second factor to set up."""

    name: ClassVar[str] = "mfa_method_chooser"


class MfaOtpSecretCreation(State, frozen=True):
    """The person adds the account to an authenticator app."""

    name: ClassVar[str] = "mfa_otp_secret_creation"
    otp_secret: Annotated[
        str | None, Meta(description="The secret, to type it in.", extra={ALWAYS: True})
    ] = None
    otp_image_source: Annotated[
        str | None,
        Meta(description="A QR code of it, as a data URL of a PNG.", extra={ALWAYS: True}),
    ] = None


class MfaSecurityKeyCreation(State, frozen=True):
    """The person may make a security key."""

    name: ClassVar[str] = "mfa_security_key_creation"


class DeviceTrust(State, frozen=True):
    """The person may spare this device the second factor for a while."""

    name: ClassVar[str] = "device_trust"


# Registration and profile


class RegistrationInit(State, frozen=True):
    """The person says how they want to be addressed."""

    name: ClassVar[str] = "registration_init"


class ProfileInit(State, frozen=True):
    """The signed-in user and what they can change."""

    name: ClassVar[str] = "profile_init"
    user: Annotated[
        Person | None, Meta(description="The signed-in user.", extra={ALWAYS: True})
    ] = None
    sessions: Annotated[
        tuple[Session, ...] | None, Meta(description="The user's live sessions, newest first.")
    ] = None


class WebauthnCredentialVerification(State, frozen=True):
    """The browser is to make a passkey or a security key for the signed-in user."""

    name: ClassVar[str] = "webauthn_credential_verification"
    creation_options: Options = None


class AccountDeleted(State, frozen=True):
    """The account is gone."""

    name: ClassVar[str] = "account_deleted"


# Ends


class Success(State, frozen=True):
    """The person is signed in."""

    name: ClassVar[str] = "success"
    user: Annotated[
        Person | None, Meta(description="The user who has signed in.", extra={ALWAYS: True})
    ] = None
    claims: Annotated[
        dict[str, Json] | None,
        Meta(description="What the session's token claims.", extra={ALWAYS: True}),
    ] = None
    last_login: Annotated[
        LastLogin | None, Meta(description="How they have signed in; not after a registration.")
    ] = None


class Error(State, frozen=True):
    """The flow is over; begin anew."""

    name: ClassVar[str] = "error"
