"""Addresses in the profile (§2.3)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.errors import NotFound
from app.flows.errors import EmailExists, FormDataInvalid, OperationNotPermitted
from app.flows.inputs import Choice, Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse, Stay
from app.flows.profile_facts import ProfileAction, id_input, person_in
from app.flows.registration import email_input
from app.flows.states import PasscodeConfirmation, ProfileInit
from app.flows.step import Step
from app.flows.user_details import address_of
from app.flows.whose import oneself
from app.selfservice.holdings import may_delete_email
from app.users import Account, Email


class EmailCreate(ProfileAction, frozen=True):
    """Add an e-mail address."""

    name: ClassVar[str] = "email_create"
    email: Annotated[str, Meta(description="The e-mail address.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the address."""
        return (email_input(step, required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is room for one."""
        rules = step.config.email
        return rules.enabled and len(person_in(step).emails) < rules.limit

    async def change(self, step: Step) -> Outcome:
        """Have it proved by a mailed code, or take it as it is."""
        owner = await step.domains.users.by_email(self.email)
        verifies = step.config.email.require_verification
        if owner is not None:
            return await self._taken(step, owner)
        if verifies:
            step.stash.create_email = True
            return mail_code_to(step, await address_of(step, owner, self.email))
        await step.domains.self_service.add_email(oneself(step), self.email, is_verified=False)
        return Stay()

    async def _taken(self, step: Step, owner: Account) -> Outcome:
        """Answer for an address that somebody has: as if it were free, if it is a stranger's.

        Its owner is told by mail, and no code can be entered (SEC-066, Q-49).
        """
        hints = step.config.privacy.show_account_existence_hints
        is_mine = owner.id == step.stash.user_id
        if is_mine or hints or not step.config.email.require_verification:
            return Refuse(FormDataInvalid(), {"email": Problem(EmailExists())})
        step.stash.email = await address_of(step, owner, self.email)
        step.stash.email_verified = False
        step.stash.template = "email_registration_attempted"
        step.stash.owner_locale = owner.locale or ""
        return Move(PasscodeConfirmation, ProfileInit)


class EmailVerify(ProfileAction, frozen=True):
    """Prove an e-mail address."""

    name: ClassVar[str] = "email_verify"
    email_id: Annotated[str, Meta(description="The address's UUID.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask which."""
        return (id_input("email_id"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where one is not proved."""
        unproved = [email for email in person_in(step).emails if not email.is_verified]
        return step.config.email.enabled and bool(unproved)

    async def change(self, step: Step) -> Outcome:
        """Mail a code to it."""
        email = _email_of(step, self.email_id)
        if email is None:
            return Refuse(NotFound())
        step.stash.create_email = False
        return mail_code_to(step, email.address)


class EmailSetPrimary(ProfileAction, frozen=True):
    """Have mail go to another address."""

    name: ClassVar[str] = "email_set_primary"
    email_id: Annotated[str, Meta(description="The address's UUID.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask which."""
        return (id_input("email_id"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is one that is not primary."""
        others = [email for email in person_in(step).emails if not email.is_primary]
        return step.config.email.enabled and bool(others)

    async def change(self, step: Step) -> Outcome:
        """Make it the primary one."""
        email = _email_of(step, self.email_id)
        if email is None:
            return Refuse(NotFound())
        await step.domains.self_service.set_primary_email(oneself(step), email.id)
        return Stay()


class EmailDelete(ProfileAction, frozen=True):
    """Remove an e-mail address."""

    name: ClassVar[str] = "email_delete"
    email_id: Annotated[str, Meta(description="The address's UUID.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask which, of those that may go; pages read this whenever they show an address (Q-29)."""
        held = person_in(step).held
        may_go = [e for e in held.emails if may_delete_email(step.config, held, e)]
        return (id_input("email_id", *(Choice(str(e.id), e.address) for e in may_go)),)

    async def change(self, step: Step) -> Outcome:
        """Remove it, if it may go (Q-28)."""
        email, held = _email_of(step, self.email_id), person_in(step).held
        if email is None:
            return Refuse(FormDataInvalid())
        if not may_delete_email(step.config, held, email):
            return Refuse(OperationNotPermitted())
        await step.domains.self_service.delete_email(oneself(step), email.id)
        return Stay()


def mail_code_to(step: Step, address: str) -> Outcome:
    """Have an address proved, and come back."""
    step.stash.email, step.stash.email_verified = address, False
    step.stash.template = "email_verification"
    return Move(PasscodeConfirmation, ProfileInit)


def _email_of(step: Step, email_id: str) -> Email | None:
    return next((one for one in person_in(step).emails if str(one.id) == email_id), None)
