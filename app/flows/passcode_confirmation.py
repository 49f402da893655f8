"""Codes by mail: sent when the state is shown, entered, sent again."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from app.audit import Event
from app.credentials.guessing import Paused
from app.credentials.passcodes import Binding, Exhausted, Matched, Wrong
from app.flows.errors import (
    FormDataInvalid,
    OperationNotPermitted,
    PasscodeInvalid,
    PasscodeMaxAttempts,
    TechnicalError,
)
from app.flows.identifying import identify
from app.flows.inputs import Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse, Stay
from app.flows.proving import (
    is_still_reached,
    prove,
    signs_in_by_mail,
    void_what_came_before,
)
from app.flows.scheduling import schedule_mfa_creation
from app.flows.states import PasscodeConfirmation
from app.flows.step import Action, Step
from app.flows.whose import is_known_browser, refuse_for_now, take_attempt, too_often
from app.mail import CARRY_A_CODE, Template
from app.ratelimit import Limited

_NO_CODE = ""
"""What is right for nobody: it is tried, and counted, where a code must not be right any more."""


def mail_login_code(step: Step) -> Outcome:
    """Go on with a code that is mailed to sign in (rule P)."""
    step.stash.login_method = "passcode"
    step.stash.template = sign_in_template(step)
    return Move(PasscodeConfirmation)


def sign_in_template(step: Step) -> Template:
    """Say which mail somebody gets who signs in, or recovers a password, by mail."""
    if not step.stash.gets_codes:
        return "email_login_attempted"
    return "recovery" if step.stash.recovery_pending else "login"


async def send_passcode(step: Step) -> None:
    """Mail a code when the state is about to be shown, unless the flow has one that lives (§5.3).

    A code is bound to the address and the mail it came in, so another one is sent where those have
    changed (Q-08); and it outlives going back, since it is no part of the stash.
    """
    if step.error is not None or await step.domains.passcodes.is_live(binding_of(step)):
        return
    limited = await _mail_code(step)
    if limited is not None:
        step.show(resend_after=limited.retry_after)
        step.fail(too_often(limited))


async def _mail_code(step: Step) -> Limited | None:
    """Make a code and queue its mail, one token of the limit a mail (Q-07, SEC-073).

    Where there is nobody to get on with a code, the mail holds none and no code is right; the work
    is the same (SEC-067). A code that signs in goes to who has the address at this moment.
    """
    if signs_in_by_mail(step):
        await identify(step, step.stash.identification)
        step.stash.template = sign_in_template(step)
    domains, binding = step.domains, binding_of(step)
    limited = await step.outside(
        "mail", lambda: take_attempt(step, "passcode", f"mailed:{binding.folded}")
    )
    if limited is not None:
        return limited
    carries = step.stash.template in CARRY_A_CODE
    made = await domains.passcodes.issue(binding, is_decoy=not carries)
    if step.stash.email and step.stash.template is not None:
        await domains.mail.send(
            step.stash.template,
            step.stash.email,
            _language(step),
            {"code": made.code} if carries else {},
            expires_at=made.expires_at,
        )
    return None


def _language(step: Step) -> str:
    """Choose the mail's language: the owner's alone where a stranger has typed the address."""
    stash, choose = step.stash, step.domains.mail.language
    if stash.template == "email_registration_attempted":
        return choose(stash.owner_locale)
    return choose(step.language, stash.locale, step.actor.origin.browser_language)


def binding_of(step: Step) -> Binding:
    """Say what a code of this moment is good for (SEC-040).

    Raises:
        TechnicalError: There is nothing to mail.
    """
    stash = step.stash
    if stash.template is None or not stash.can_be_mailed:
        raise TechnicalError
    address = stash.email or stash.identification
    is_made = step.kind != "registration" or stash.by_provider
    return Binding(step.flow_id, stash.template, address, stash.user_id, is_made)


class VerifyPasscode(Action, frozen=True):
    """Enter the code that was mailed."""

    name: ClassVar[str] = "verify_passcode"
    code: Annotated[str, Meta(description="The code.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the code, of whatever length."""
        return (Input("code", required=True),)

    async def run(self, step: Step) -> Outcome:
        """Try the code; a wrong one is counted, and the third kills it (SEC-041)."""
        binding = binding_of(step)
        limited = await step.outside(
            "guess", lambda: take_attempt(step, "passcode_guess", binding.account)
        )
        if limited is not None:
            return refuse_for_now(limited)
        known, code = await is_known_browser(step), self.code
        if signs_in_by_mail(step) and not await is_still_reached(step):
            code = _NO_CODE
        found = await step.domains.passcodes.verify(binding, code, known_browser=known)
        if isinstance(found, Paused):
            return refuse_for_now(found)
        if not isinstance(found, Matched):
            await _note_failure(step)
            if isinstance(found, Exhausted) or found == Wrong(0):
                return Refuse(PasscodeMaxAttempts(), show={"attempts_left": 0})
            left = {"attempts_left": found.attempts_left} if isinstance(found, Wrong) else {}
            problem = {"code": Problem(PasscodeInvalid())}
            return Refuse(FormDataInvalid(), problem, left)
        if step.stash.user_id is None:
            return Refuse(OperationNotPermitted())
        return await _proved(step)


async def _proved(step: Step) -> Outcome:
    """Go on: whoever it is reads the mail of the address."""
    stash = step.stash
    stash.email_verified = stash.used_passcode = True
    if signs_in_by_mail(step):
        await void_what_came_before(step)
        await prove(step)
        await _note_success(step)
    else:
        stash.has = msgspec.structs.replace(stash.has, emails=True)
        schedule_mfa_creation(step)
    return Move(no_back=True)


async def _note_success(step: Step) -> None:
    """Record that a code has shown who it is; a second factor may be still to come."""
    event: Event = "passcode_login_final_succeeded"
    await step.domains.audit.record(event, step.actor, subject=step.stash.user_id)


async def _note_failure(step: Step) -> None:
    if step.stash.login_method is None:
        return
    details = {"login_method": "passcode"}
    await step.domains.audit.record(
        "login_failure", step.actor, subject=step.stash.user_id, details=details
    )


class ResendPasscode(Action, frozen=True):
    """Mail another code."""

    name: ClassVar[str] = "resend_passcode"

    async def run(self, step: Step) -> Outcome:
        """Mail a new code; the old one is dead."""
        limited = await _mail_code(step)
        if limited is not None:
            return refuse_for_now(limited, shown_as="resend_after")
        return Stay()
