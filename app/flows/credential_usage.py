"""Signing in with what one has (§3.2)."""

from app.flows.definition import SubFlow
from app.flows.login_init import (
    ContinueToPasscodeConfirmation,
    ContinueToPasswordLogin,
    ContinueWithLoginIdentifier,
    RememberMe,
)
from app.flows.login_passkey import (
    ChooseWebauthnGenerateRequestOptions,
    WebauthnGenerateRequestOptions,
    WebauthnVerifyAssertionResponse,
)
from app.flows.login_password import (
    ContinueToPasscodeConfirmationRecovery,
    PasswordLogin,
    PasswordRecovery,
)
from app.flows.passcode_confirmation import ResendPasscode, VerifyPasscode, send_passcode
from app.flows.states import (
    LoginInit,
    LoginMethodChooser,
    LoginPasskey,
    LoginPassword,
    LoginPasswordRecovery,
    PasscodeConfirmation,
    ThirdParty,
)
from app.flows.step import GoBack
from app.flows.thirdparty import ExchangeToken, ThirdpartyOauth

CREDENTIAL_USAGE = SubFlow(
    "credential_usage",
    {
        LoginInit: (
            ContinueWithLoginIdentifier,
            WebauthnGenerateRequestOptions,
            WebauthnVerifyAssertionResponse,
            RememberMe,
            ThirdpartyOauth,
        ),
        LoginMethodChooser: (
            ContinueToPasswordLogin,
            ContinueToPasscodeConfirmation,
            ChooseWebauthnGenerateRequestOptions,
            GoBack,
        ),
        LoginPassword: (PasswordLogin, ContinueToPasscodeConfirmationRecovery, GoBack),
        LoginPasswordRecovery: (PasswordRecovery,),
        LoginPasskey: (WebauthnVerifyAssertionResponse, GoBack),
        PasscodeConfirmation: (VerifyPasscode, ResendPasscode, GoBack),
        ThirdParty: (ExchangeToken, GoBack),
    },
    before={PasscodeConfirmation: (send_passcode,)},
)
