"""The first page of a login: who it is, or a passkey at once; and the choice of a method."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from app.flows.errors import (
    FlowDiscontinuity,
    FormDataInvalid,
    InputError,
    UnknownEmail,
    UnknownUsername,
)
from app.flows.identifying import identify, is_address, takes_email, takes_username
from app.flows.inputs import Input, Problem
from app.flows.outcomes import End, Move, Outcome, Refuse, Stay
from app.flows.passcode_confirmation import mail_login_code
from app.flows.passkey_options import passkey_options
from app.flows.stash import Has
from app.flows.states import LoginMethodChooser, LoginPasskey, LoginPassword, PasscodeConfirmation
from app.flows.step import Action, Step
from app.flows.thirdparty import begin_at_domain

_LONGEST_IDENTIFIER = 255
_LIKELY = Has(password=True, emails=True)
"""What somebody who is not known is taken to have (Q-09)."""


class ContinueWithLoginIdentifier(Action, frozen=True):
    """Say who you are."""

    name: ClassVar[str] = "continue_with_login_identifier"
    identifier: Annotated[str, Meta(description="An e-mail address or a user name.")] = ""
    email: Annotated[str, Meta(description="An e-mail address.")] = ""
    username: Annotated[str, Meta(description="A user name.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for what may be an identifier here."""
        emails, names = step.config.email, step.config.username
        if takes_email(step) and takes_username(step):
            one = Input("identifier", max_length=_LONGEST_IDENTIFIER)
        elif takes_email(step):
            one = Input("email", "email", min_length=3, max_length=emails.max_length)
        else:
            one = Input("username", min_length=names.min_length, max_length=names.max_length)
        return (dataclasses.replace(one, required=True, trim=True, lower=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where somebody can be named, and then sign in."""
        config = step.config
        named = takes_email(step) or takes_username(step)
        proves = config.password.enabled or config.email.use_for_authentication
        return named and (proves or (takes_email(step) and config.saml.enabled))

    async def run(self, step: Step) -> Outcome:
        """Look for the account, and choose how to go on.

        Whose domain has a SAML provider signs in there, whether or not there is an account.
        """
        typed = self.identifier or self.email or self.username
        as_email = is_address(step, typed)
        elsewhere = await begin_at_domain(step, typed) if as_email else None
        if elsewhere is not None:
            return elsewhere
        is_known = await identify(step, typed)
        if not is_known and step.config.privacy.show_account_existence_hints:
            return await self._unknown(step, UnknownEmail() if as_email else UnknownUsername())
        return await self._go_on(step)

    async def _unknown(self, step: Step, error: InputError) -> Outcome:
        await step.domains.audit.record("login_failure", step.actor)
        (one,) = self.inputs(step)
        return Refuse(FormDataInvalid(), {one.name: Problem(error)})

    async def _go_on(self, step: Step) -> Outcome:
        if step.config.privacy.only_show_actual_login_methods:
            return await _by_methods(step)
        passwords = step.config.password.enabled
        codes = step.config.email.enabled and step.config.email.use_for_authentication
        if codes and step.stash.can_be_mailed:
            return Move(LoginMethodChooser) if passwords else mail_login_code(step)
        return Move(LoginPassword) if passwords else End(FlowDiscontinuity())


async def _by_methods(step: Step) -> Outcome:
    """Choose among the methods that the account has."""
    ways = [
        state
        for state, is_there in (
            (PasscodeConfirmation, has_passcode(step)),
            (LoginPassword, has_password(step)),
            (LoginPasskey, has_passkey(step)),
        )
        if is_there
    ]
    if len(ways) > 1:
        return Move(LoginMethodChooser)
    if ways == [PasscodeConfirmation]:
        return mail_login_code(step)
    if ways == [LoginPassword]:
        return Move(LoginPassword)
    if ways == [LoginPasskey]:
        return Move(LoginPasskey(request_options=await passkey_options(step, step.stash.user_id)))
    return End(FlowDiscontinuity())


def has_passcode(step: Step) -> bool:
    """Say whether the account signs in by mailed codes, or is to look as if it did."""
    emails = step.config.email
    return emails.enabled and emails.use_for_authentication and step.stash.can_be_mailed


def has_password(step: Step) -> bool:
    """Say whether the account has a password, or is to look as if it had."""
    return step.config.password.enabled and _has(step).password


def has_passkey(step: Step) -> bool:
    """Say whether the account has a passkey that this client can use."""
    can = step.config.passkey.enabled and step.stash.webauthn_available
    return can and _has(step).passkey


def _has(step: Step) -> Has:
    return step.stash.has if step.stash.user_id is not None else _LIKELY


class RememberMe(Action, frozen=True):
    """Stay signed in when the browser is closed, or do not."""

    name: ClassVar[str] = "remember_me"
    remember_me: Annotated[bool, Meta(description="Whether to stay signed in.")] = False

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask whether."""
        return (Input("remember_me", "boolean", required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where people are asked."""
        return step.config.session.cookie.retention == "prompt"

    async def run(self, step: Step) -> Outcome:
        """Remember the answer."""
        step.stash.remember_me = self.remember_me
        return Stay()


class ContinueToPasswordLogin(Action, frozen=True):
    """Sign in with a password."""

    name: ClassVar[str] = "continue_to_password_login"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it, unless only what the account has may be shown and it has no password."""
        return _shows_all(step) or has_password(step)

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Ask for the password."""
        return Move(LoginPassword)


class ContinueToPasscodeConfirmation(Action, frozen=True):
    """Sign in with a code that is mailed."""

    name: ClassVar[str] = "continue_to_passcode_confirmation"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it, unless only what the account has may be shown and mail does not reach it."""
        return _shows_all(step) or has_passcode(step)

    async def run(self, step: Step) -> Outcome:
        """Mail a code."""
        return mail_login_code(step)


def _shows_all(step: Step) -> bool:
    return not step.config.privacy.only_show_actual_login_methods
