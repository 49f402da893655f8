"""The profile: what a signed-in user sees and changes of their own account (§2.3)."""

from app.flows.capabilities import CAPABILITIES
from app.flows.definition import Flow
from app.flows.domains import Domains
from app.flows.errors import SessionRequired
from app.flows.hooks import persist_verified
from app.flows.mfa_creation import OtpCodeVerify, offer_otp_secret
from app.flows.passcode_confirmation import ResendPasscode, VerifyPasscode, send_passcode
from app.flows.profile_account import (
    AccountDelete,
    PatchMetadata,
    ProfileUsernameCreate,
    ProfileUsernameDelete,
    ProfileUsernameUpdate,
    SessionDelete,
)
from app.flows.profile_credentials import (
    OtpSecretDelete,
    PasswordCreate,
    PasswordDelete,
    PasswordUpdate,
    ProfileOtpSecretCreation,
    SecurityKeyCreate,
    SecurityKeyDelete,
    VerifyProfileAttestation,
    WebauthnCredentialCreate,
    WebauthnCredentialDelete,
    WebauthnCredentialRename,
)
from app.flows.profile_emails import EmailCreate, EmailDelete, EmailSetPrimary, EmailVerify
from app.flows.profile_facts import load_facts, remember_session, show_profile
from app.flows.profile_identities import (
    ConnectThirdpartyOauthProvider,
    DisconnectThirdpartyOauthProvider,
    ExchangeConnectionToken,
)
from app.flows.states import (
    AccountDeleted,
    Error,
    MfaOtpSecretCreation,
    PasscodeConfirmation,
    Preflight,
    ProfileInit,
    ThirdParty,
    WebauthnCredentialVerification,
)
from app.flows.step import FlowRequest, GoBack


def require_session(domains: Domains, request: FlowRequest) -> None:  # noqa: ARG001  # a guard
    """Refuse who is not signed in, on every request.

    Raises:
        SessionRequired: The request bears no valid session.
    """
    if request.actor.session is None:
        raise SessionRequired


PROFILE = Flow(
    "profile",
    start=(Preflight, ProfileInit),
    states={
        ProfileInit: (
            AccountDelete,
            ProfileOtpSecretCreation,
            EmailCreate,
            EmailDelete,
            EmailSetPrimary,
            EmailVerify,
            OtpSecretDelete,
            PasswordCreate,
            PasswordUpdate,
            PasswordDelete,
            PatchMetadata,
            SecurityKeyCreate,
            SecurityKeyDelete,
            ProfileUsernameCreate,
            ProfileUsernameUpdate,
            ProfileUsernameDelete,
            WebauthnCredentialCreate,
            WebauthnCredentialDelete,
            WebauthnCredentialRename,
            SessionDelete,
            ConnectThirdpartyOauthProvider,
            DisconnectThirdpartyOauthProvider,
        ),
        WebauthnCredentialVerification: (VerifyProfileAttestation, GoBack),
        PasscodeConfirmation: (VerifyPasscode, ResendPasscode, GoBack),
        MfaOtpSecretCreation: (OtpCodeVerify, GoBack),
        ThirdParty: (ExchangeConnectionToken, GoBack),
        AccountDeleted: (),
        Error: (),
    },
    parts=(CAPABILITIES,),
    error=Error,
    before={
        ProfileInit: (show_profile,),
        PasscodeConfirmation: (send_passcode,),
        MfaOtpSecretCreation: (offer_otp_secret,),
    },
    after={PasscodeConfirmation: (persist_verified,)},
    before_action=(load_facts,),
    on_start=(remember_session,),
    guards=(require_session,),
)
