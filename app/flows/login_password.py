"""Login by password, and its recovery by mail."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from app.credentials.errors import PasswordRefused, PasswordTooLong, PasswordTooShort
from app.credentials.password_text import MAX_BYTES
from app.credentials.passwords import Outcome as Verdict
from app.credentials.passwords import PreparedPassword, Verified
from app.errors import IdentityError
from app.flows.errors import (
    FormDataInvalid,
    OperationNotPermitted,
    ValueInvalid,
    ValueTooLong,
    ValueTooShort,
)
from app.flows.inputs import Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.passcode_confirmation import sign_in_template
from app.flows.proving import prove
from app.flows.scheduling import schedule_mfa_creation
from app.flows.states import PasscodeConfirmation
from app.flows.step import Action, Step
from app.flows.whose import account_key, oneself, refuse_for_now, take_attempt
from app.ratelimit import Limited


class PasswordLogin(Action, frozen=True):
    """Log in with a password."""

    name: ClassVar[str] = "password_login"
    password: Annotated[str, Meta(description="The password.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the password; a wrong one may have any length."""
        return (Input("password", "password", required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there are passwords."""
        return step.config.password.enabled

    async def run(self, step: Step) -> Outcome:
        """Check the password, with the same work for an account that is not there (SEC-067)."""
        found = await step.outside("password", lambda: self._checked(step))
        if isinstance(found, Limited):
            return refuse_for_now(found, shown_as="retry_after")
        user_id, stash = step.stash.user_id, step.stash
        passwords = step.domains.passwords
        if (
            user_id is None
            or not isinstance(found, Verified)
            or not await passwords.still_holds(user_id, found)
        ):
            await note_failure(step, "password")
            return Refuse(FormDataInvalid(), {"password": Problem(ValueInvalid())})
        stash.login_method = "password"
        await prove(step)
        await step.domains.audit.record("password_login_succeeded", step.actor, subject=user_id)
        return Move(no_back=True)

    async def _checked(self, step: Step) -> Verdict | Limited:
        limited = await take_attempt(step, "password", account_key(step))
        if limited is not None:
            return limited
        return await step.domains.passwords.verify(step.stash.user_id, self.password)


async def note_failure(step: Step, method: str) -> None:
    """Record that somebody has failed to sign in, to an account or to none (SEC-118)."""
    details = {"login_method": method}
    await step.domains.audit.record(
        "login_failure", step.actor, subject=step.stash.user_id, details=details
    )


class ContinueToPasscodeConfirmationRecovery(Action, frozen=True):
    """Replace a forgotten password."""

    name: ClassVar[str] = "continue_to_passcode_confirmation_recovery"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a code can be mailed."""
        config = step.config
        return config.password.recovery and config.email.enabled and step.stash.can_be_mailed

    async def run(self, step: Step) -> Outcome:
        """Mail a code; the new password is asked for when it was entered (SEC-038)."""
        stash = step.stash
        stash.login_method = "password"
        stash.recovery_pending = True
        stash.template = sign_in_template(step)
        return Move(PasscodeConfirmation)


class PasswordRecovery(Action, frozen=True):
    """Set a new password."""

    name: ClassVar[str] = "password_recovery"
    new_password: Annotated[str, Meta(description="The new password.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for a password."""
        return (new_password_input(step, required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there are passwords."""
        return step.config.password.enabled

    async def run(self, step: Step) -> Outcome:
        """Store the password and end what the old one has opened (SEC-027)."""
        stash, domains = step.stash, step.domains
        user_id = stash.user_id
        if user_id is None or not stash.recovery_pending or not stash.email_verified:
            return Refuse(OperationNotPermitted())
        made = await step.outside("password", lambda: prepared_password(step, self.new_password))
        if isinstance(made, Problem):
            return Refuse(FormDataInvalid(), {"new_password": made})
        me = oneself(step, user_id)
        await domains.own_credentials.recover_password(me, made)
        stash.has = msgspec.structs.replace(stash.has, password=True)
        stash.recovery_pending = False
        schedule_mfa_creation(step)
        return Move(no_back=True)


def new_password_input(step: Step, *, required: bool, name: str = "new_password") -> Input:
    """Describe a new password (SEC-035)."""
    shortest = step.config.password.min_length
    return Input(name, "password", required=required, min_length=shortest, max_length=MAX_BYTES)


async def prepared_password(step: Step, password: str) -> PreparedPassword | Problem:
    """Judge and hash a new password; call it through `Step.outside`."""
    words = (step.stash.email, step.stash.username)
    try:
        return await step.domains.passwords.prepare(password, words)
    except PasswordRefused as refused:
        return password_problem(refused)


def password_problem(refused: PasswordRefused) -> Problem:
    """Say in the flow's words why a password is refused; the exact reason is the cause."""
    error: IdentityError = ValueInvalid()
    if isinstance(refused, PasswordTooShort):
        error = ValueTooShort()
    if isinstance(refused, PasswordTooLong):
        error = ValueTooLong()
    return Problem(error, refused)
