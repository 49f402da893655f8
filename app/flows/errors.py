"""Why a flow refuses: what is said of the whole step, and what is said of one input."""

from typing import ClassVar

from app import errors
from app.credentials.errors import MfaOnlyCredential, PasskeyInvalid
from app.errors import Conflict, IdentityError, Invalid, NotFound

_STATUS: tuple[tuple[type[IdentityError], int], ...] = (
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Invalid, 400),
    (errors.RateLimited, 429),
    (errors.Unavailable, 503),
)


class FlowError(Conflict):
    """A refusal of a flow, with the status that the flow API gives it."""

    status: ClassVar[int] = 409


class TechnicalError(FlowError):
    """Something failed that the caller cannot mend; the flow is as it was."""

    code = "technical_error"
    message = "Something went wrong."
    status = 500


class FlowDiscontinuity(FlowError):
    """The configuration, or what the user has, leaves no way on."""

    code = "flow_discontinuity_error"
    message = "There is no way to go on from here."
    status = 500


class FlowExpired(FlowError):
    """The flow is older than it may become."""

    code = "flow_expired_error"
    message = "The flow has expired; begin anew."
    status = 410


class OperationNotPermitted(FlowError):
    """No such flow, a CSRF token that is not its last, or an action it does not offer now."""

    code = "operation_not_permitted_error"
    message = "This may not be done here and now."
    status = 403


class FormDataInvalid(FlowError):
    """One input or more is refused; each says why."""

    code = "form_data_invalid_error"
    message = "An input is not valid."
    status = 400


class PasscodeMaxAttempts(FlowError):
    """The code was guessed at too often."""

    code = "passcode_max_attempts_reached"
    message = "The code was entered wrongly too often; ask for a new one."
    status = 401


class RateLimitExceeded(FlowError):
    """Too often; `retry_after` is in whole seconds."""

    code = "rate_limit_exceeded"
    message = "Too many attempts; wait a moment."
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class SessionRequired(FlowError):
    """The flow is for signed-in users, and this request bears no valid session."""

    code = "unauthorized"
    message = "Sign in first."
    status = 401


class PlatformAuthenticatorRequired(FlowError):
    """The account needs a second factor that this device cannot give."""

    code = "platform_authenticator_required"
    message = "This device lacks the authenticator that is needed."
    status = 401


class InputError(Invalid):
    """Why one input is refused."""


class ValueMissing(InputError):
    """The input must be given."""

    code = "value_missing_error"
    message = "The value is missing."


class ValueInvalid(InputError):
    """The value is not one that can be taken."""

    code = "value_invalid_error"
    message = "The value is invalid."


class ValueTooLong(InputError):
    """The value is longer than it may be."""

    code = "value_too_long_error"
    message = "The value is too long."


class ValueTooShort(InputError):
    """The value is shorter than it must be."""

    code = "value_too_short_error"
    message = "The value is too short."


class EmailExists(InputError):
    """Somebody has the address."""

    code = "email_already_exists"
    message = "The e-mail address is in use."


class UsernameExists(InputError):
    """Somebody has the user name."""

    code = "username_already_exists"
    message = "The user name is in use."


class UnknownUsername(InputError):
    """Nobody has the user name."""

    code = "unknown_username_error"
    message = "The user name is not known."


class UnknownEmail(InputError):
    """Nobody has the address; told where hints are on."""

    code = "unknown_email_error"
    message = "The e-mail address is not known."


class UsernameNotPlain(InputError):
    """A user name is made of letters, digits and underscores."""

    code = "invalid_username_error"
    message = "A user name is made of letters, digits and underscores."


class PasscodeInvalid(InputError):
    """The code is wrong, or its time is over."""

    code = "passcode_invalid"
    message = "The code is not valid."


class OtpCodeInvalid(InputError):
    """The code is not the authenticator's."""

    code = "otp_code_invalid"
    message = "The code is not valid."


class OtpCodeUsed(InputError):
    """The code was used before."""

    code = "otp_code_already_used"
    message = "The code was used before; wait for the next one."


class InvalidMetadata(InputError):
    """The change of the metadata cannot be made."""

    code = "invalid_metadata_error"
    message = "The metadata cannot be changed like this."


TOLD_ELSEWHERE: tuple[type[IdentityError], ...] = (
    PasskeyInvalid,
    MfaOnlyCredential,
    NotFound,
)
"""Errors of others with which a step may be refused."""


def told() -> list[type[IdentityError]]:
    """List every error that a step may be answered with, for the faces and the documents."""
    own = [leaf for root in (FlowError, InputError) for leaf in errors.leaves(root)]
    return [leaf for leaf in (*own, *TOLD_ELSEWHERE) if "code" in vars(leaf)]


def status_of(error: IdentityError) -> int:
    """Give the status of a refusal, which is HTTP's and a member of the flow's answer alike."""
    if isinstance(error, FlowError):
        return error.status
    return next((status for family, status in _STATUS if isinstance(error, family)), 500)
