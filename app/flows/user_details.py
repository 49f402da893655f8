"""What an account still lacks after a sign-in: a user name, an address (§3.4)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from app.flows.definition import SubFlow
from app.flows.errors import EmailExists, FormDataInvalid, TechnicalError, ValueInvalid
from app.flows.inputs import Input, Problem, is_email
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.registration import username_input, username_problems
from app.flows.states import OnboardingEmail, OnboardingUsername, PasscodeConfirmation
from app.flows.step import Action, Step
from app.flows.whose import NOBODY, oneself
from app.text import email_key
from app.users import Account


class OnboardingUsernameCreate(Action, frozen=True):
    """Choose a user name."""

    name: ClassVar[str] = "username_create"
    username: Annotated[str, Meta(description="The user name.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the name."""
        return (username_input(step, required=not step.config.username.optional),)

    async def run(self, step: Step) -> Outcome:
        """Give the user the name."""
        problems = await username_problems(step, self.username)
        if problems:
            return Refuse(FormDataInvalid(), problems)
        me = oneself(step, _user_of(step))
        account = await step.domains.self_service.set_username(me, self.username)
        step.stash.username = account.username or ""
        step.stash.has = msgspec.structs.replace(step.stash.has, username=True)
        return Move(no_back=True)


class SkipUsername(Action, frozen=True):
    """Go without a user name."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without."""
        return step.config.username.optional

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go on."""
        return Move()


class EmailAddressSet(Action, frozen=True):
    """Give an e-mail address."""

    name: ClassVar[str] = "email_address_set"
    email: Annotated[str, Meta(description="The e-mail address.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the address; its form is judged by `run`, since clients know it as a string."""
        emails = step.config.email
        return (
            Input(
                "email",
                required=not emails.optional,
                max_length=emails.max_length,
                trim=True,
                lower=True,
                preserved=True,
            ),
        )

    async def run(self, step: Step) -> Outcome:
        """Have the address proved, or take it as it is; without one go on (Q-10)."""
        if not self.email:
            return Move()
        if not is_email(self.email):
            return Refuse(FormDataInvalid(), {"email": Problem(ValueInvalid())})
        stash = step.stash
        owner = await step.domains.users.by_email(self.email)
        stash.email, stash.email_verified = self.email, False
        if not step.config.email.require_verification:
            if owner is not None:
                return Refuse(FormDataInvalid(), {"email": Problem(EmailExists())})
            stash.create_email = True
            return Move(no_back=True)
        stash.email = await address_of(step, owner, self.email)
        if owner is None:
            stash.create_email = True
            stash.template = "email_verification"
        else:  # the owner is told, and nobody else learns of it (SEC-066)
            stash.template = "email_registration_attempted"
            stash.owner_locale = owner.locale or ""
        return Move(PasscodeConfirmation)


class SkipEmail(Action, frozen=True):
    """Go without an e-mail address."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without."""
        return step.config.email.optional

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go on."""
        return Move()


async def address_of(step: Step, owner: Account | None, typed: str) -> str:
    """Give an address as its account has it: another spelling may be another mailbox (SEC-040).

    Where nobody has it, it takes the same question (SEC-067).
    """
    user_id = owner.id if owner is not None else NOBODY
    emails = (await step.domains.users.emails_of([user_id]))[user_id]
    key = email_key(typed)
    return next((email.address for email in emails if email_key(email.address) == key), typed)


def _user_of(step: Step) -> UUID:
    if step.stash.user_id is None:
        raise TechnicalError
    return step.stash.user_id


USER_DETAILS = SubFlow(
    "user_details",
    {
        OnboardingUsername: (OnboardingUsernameCreate, SkipUsername),
        OnboardingEmail: (EmailAddressSet, SkipEmail),
    },
)
