"""The first page of a registration: how the new user is to be addressed."""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.flows.errors import (
    EmailExists,
    FormDataInvalid,
    UsernameExists,
    UsernameNotPlain,
    ValueInvalid,
)
from app.flows.inputs import Input, Problem, Problems
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.scheduling import credential_registration, schedule_mfa_creation
from app.flows.state import State
from app.flows.states import PasscodeConfirmation, Success
from app.flows.step import Action, Step
from app.flows.thirdparty import begin_at_domain
from app.ids import new_id
from app.users import Account

_PLAIN = re.compile("[A-Za-z0-9_]+")


class RegisterLoginIdentifier(Action, frozen=True):
    """Say how you want to be addressed."""

    name: ClassVar[str] = "register_login_identifier"
    email: Annotated[str, Meta(description="An e-mail address.")] = ""
    username: Annotated[str, Meta(description="A user name.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for what an account has here."""
        emails, names = step.config.email, step.config.username
        return (
            *((email_input(step, required=not emails.optional),) if _acquires_email(step) else ()),
            *((username_input(step, required=not names.optional),) if _acquires_name(step) else ()),
        )

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where people may sign up, and be addressed."""
        acquires = _acquires_email(step) or _acquires_name(step)
        return step.config.account.allow_signup and acquires

    async def run(self, step: Step) -> Outcome:
        """Look whether they can be, and choose what is asked for next.

        Whose domain has a SAML provider signs up there.
        """
        elsewhere = await begin_at_domain(step, self.email) if self.email else None
        if elsewhere is not None:
            return elsewhere
        refused = await self._refused(step)
        if refused:
            return Refuse(FormDataInvalid(), refused)
        stash = step.stash
        stash.username, stash.email = self.username, self.email
        owner = await step.domains.users.by_email(self.email) if self.email else None
        if owner is not None:
            return _taken(step, owner)
        stash.user_id = step.once("user", new_id)
        verifies = bool(self.email) and step.config.email.require_verification
        if verifies:
            stash.template = "email_verification"
        confirm: tuple[type[State], ...] = (PasscodeConfirmation,) if verifies else ()
        states = (*confirm, *credential_registration(step.config, stash))
        if not states:
            schedule_mfa_creation(step)
        return Move(*states, Success)

    async def _refused(self, step: Step) -> Problems:
        """Find what is wrong with the identifiers beyond their form."""
        if not self.email and not self.username:
            return {one.name: Problem(ValueInvalid()) for one in self.inputs(step)}
        return await username_problems(step, self.username) if self.username else {}


def _taken(step: Step, owner: Account) -> Outcome:
    """Answer for an address that somebody has.

    Where it would have to be proved, it looks as if it were free; its owner is told by mail, and no
    code can be entered, since there is no user to go on with (SEC-066).
    """
    privacy, stash = step.config.privacy, step.stash
    if privacy.show_account_existence_hints or not step.config.email.require_verification:
        return Refuse(FormDataInvalid(), {"email": Problem(EmailExists())})
    stash.template, stash.owner_locale = "email_registration_attempted", owner.locale or ""
    return Move(PasscodeConfirmation)


async def username_problems(step: Step, username: str) -> Problems:
    """Say what is wrong with a new user name, if anything."""
    if not _PLAIN.fullmatch(username):
        return {"username": Problem(UsernameNotPlain())}
    if await step.domains.users.by_username(username) is not None:
        return {"username": Problem(UsernameExists())}
    return {}


def email_input(step: Step, *, required: bool, preserved: bool = False) -> Input:
    """Describe a new address."""
    longest = step.config.email.max_length
    return Input(
        "email",
        "email",
        required=required,
        max_length=longest,
        trim=True,
        lower=True,
        preserved=preserved,
    )


def username_input(step: Step, *, required: bool, preserved: bool = False) -> Input:
    """Describe a new user name."""
    rules = step.config.username
    return Input(
        "username",
        required=required,
        min_length=rules.min_length,
        max_length=rules.max_length,
        trim=True,
        lower=True,
        preserved=preserved,
    )


def _acquires_email(step: Step) -> bool:
    return step.config.email.enabled and step.config.email.acquire_on_registration


def _acquires_name(step: Step) -> bool:
    return step.config.username.enabled and step.config.username.acquire_on_registration
