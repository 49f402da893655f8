"""Showing the second factor (§3.5). There is no way past these states but a factor (SEC-058)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from app.credentials import recovery_codes, totp
from app.credentials.errors import PasskeyNotFound
from app.credentials.guessing import Paused
from app.errors import IdentityError
from app.flows.definition import SubFlow
from app.flows.errors import (
    FormDataInvalid,
    OperationNotPermitted,
    OtpCodeInvalid,
    OtpCodeUsed,
    TechnicalError,
    ValueInvalid,
)
from app.flows.inputs import Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.scheduling import uses_security_keys
from app.flows.stash import MfaMethod
from app.flows.states import LoginOtp, LoginPasskey, LoginSecurityKey
from app.flows.step import Action, Step
from app.flows.whose import account_key, refuse_for_now, take_attempt
from app.ratelimit import Limited


class SecurityKeyRequestOptions(Action, frozen=True):
    """Use a security key."""

    name: ClassVar[str] = "webauthn_generate_request_options"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn."""
        return step.stash.webauthn_available

    async def run(self, step: Step) -> Outcome:
        """Have the browser use one of the user's, save the one that was the first factor."""
        try:
            options = await step.domains.ceremonies.begin_second_factor(
                _user_of(step), used=step.stash.passkey_used, bound_to=step.flow_id
            )
        except PasskeyNotFound:  # its kind was switched off meanwhile
            return Refuse(OperationNotPermitted())
        return Move(LoginPasskey(request_options={"publicKey": options}))


class ContinueToLoginOtp(Action, frozen=True):
    """Use the authenticator app instead."""

    name: ClassVar[str] = "continue_to_login_otp"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the user has one."""
        return step.config.mfa.totp.enabled and step.stash.has.otp_secret

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(LoginOtp)


class ContinueToLoginSecurityKey(Action, frozen=True):
    """Use a security key instead."""

    name: ClassVar[str] = "continue_to_login_security_key"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the device and the user have what would be accepted (Q-15)."""
        config, stash = step.config, step.stash
        has_passkey = config.passkey.enabled and stash.has.passkey and stash.passkey_used is None
        accepted = stash.has.security_key or has_passkey
        return config.mfa.security_keys.enabled and uses_security_keys(stash) and accepted

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(LoginSecurityKey)


class OtpCodeValidate(Action, frozen=True):
    """Enter a code of the authenticator app."""

    name: ClassVar[str] = "otp_code_validate"
    otp_code: Annotated[str, Meta(description="The six digits.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the code."""
        return (Input("otp_code", required=True),)

    async def run(self, step: Step) -> Outcome:
        """Try it; every try counts for the user, whatever the flow (SEC-057)."""
        limited = await step.outside("guess", lambda: _take_guess(step))
        if limited is not None:
            return refuse_for_now(limited, shown_as="retry_after")
        found = await step.domains.totp.verify(_user_of(step), self.otp_code)
        match found:
            case Paused():
                return refuse_for_now(found, shown_as="retry_after")
            case totp.Accepted():
                return _shown(step, "totp")
            case totp.Reused():
                error: IdentityError = OtpCodeUsed()
            case totp.Malformed():
                error = ValueInvalid()
            case totp.Wrong():
                error = OtpCodeInvalid()
        await _note_failure(step, "totp")
        return Refuse(FormDataInvalid(), {"otp_code": Problem(error)})


class RecoveryCodeValidate(Action, frozen=True):
    """Enter a recovery code."""

    name: ClassVar[str] = "recovery_code_validate"
    recovery_code: Annotated[str, Meta(description="The code, as it was written down.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the code."""
        return (Input("recovery_code", required=True, trim=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the user has some left."""
        return step.stash.has_recovery_codes

    async def run(self, step: Step) -> Outcome:
        """Try it, under the same limits as any second factor; it works once."""
        limited = await step.outside("guess", lambda: _take_guess(step))
        if limited is not None:
            return refuse_for_now(limited, shown_as="retry_after")
        found = await step.domains.recovery_codes.redeem(
            step.actor, _user_of(step), self.recovery_code
        )
        if isinstance(found, Paused):
            return refuse_for_now(found, shown_as="retry_after")
        if isinstance(found, recovery_codes.Accepted):
            return _shown(step, "recovery_code")
        await _note_failure(step, "recovery_code")
        return Refuse(FormDataInvalid(), {"recovery_code": Problem(OtpCodeInvalid())})


async def look_for_recovery_codes(step: Step) -> None:
    """See whether the user has recovery codes, whenever a second factor is asked for."""
    left = await step.domains.recovery_codes.left(_user_of(step))
    step.stash.has_recovery_codes = left > 0


async def _take_guess(step: Step) -> Limited | None:
    return await take_attempt(step, "otp", account_key(step))


def _shown(step: Step, method: MfaMethod) -> Outcome:
    step.stash.mfa_method = method
    return Move(no_back=True)


async def _note_failure(step: Step, method: MfaMethod) -> None:
    stash = step.stash
    details = {"login_method": stash.login_method, "mfa_method": method}
    await step.domains.audit.record(
        "login_failure", step.actor, subject=stash.user_id, details=details
    )


def _user_of(step: Step) -> UUID:
    if step.stash.user_id is None:
        raise TechnicalError
    return step.stash.user_id


MFA_USAGE = SubFlow(
    "mfa_usage",
    {
        LoginSecurityKey: (SecurityKeyRequestOptions, ContinueToLoginOtp, RecoveryCodeValidate),
        LoginOtp: (OtpCodeValidate, ContinueToLoginSecurityKey, RecoveryCodeValidate),
    },
    before={
        LoginSecurityKey: (look_for_recovery_codes,),
        LoginOtp: (look_for_recovery_codes,),
    },
)
