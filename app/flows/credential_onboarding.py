"""Making a passkey or a password while registering or signing in (§3.3)."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from app.credentials.errors import PasskeyInvalid
from app.credentials.passkey_values import Registered
from app.credentials.webauthn_verify import NewCredential
from app.flows.definition import SubFlow
from app.flows.errors import FormDataInvalid, TechnicalError, ValueInvalid
from app.flows.inputs import Input, Problem
from app.flows.login_password import new_password_input, prepared_password
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.passkey_creation import creation_options, verified
from app.flows.scheduling import schedule_mfa_creation
from app.flows.states import (
    CredentialOnboardingChooser,
    OnboardingCreatePasskey,
    OnboardingVerifyPasskeyAttestation,
    PasscodeConfirmation,
    PasswordCreation,
    RegistrationInit,
)
from app.flows.step import Action, GoBack, Step
from app.flows.whose import is_to_be_made, oneself

Json = Any
Acquire = Literal["always", "conditional", "never"]


class ContinueToPasskeyRegistration(Action, frozen=True):
    """Make a passkey."""

    name: ClassVar[str] = "continue_to_passkey_registration"

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(OnboardingCreatePasskey)


class ContinueToPasswordRegistration(Action, frozen=True):
    """Choose a password."""

    name: ClassVar[str] = "continue_to_password_registration"

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(PasswordCreation)


class SkipCredentials(Action, frozen=True):
    """Make neither a passkey nor a password."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without, and signs in by mail."""
        by_mail = step.config.email.use_for_authentication and bool(step.stash.email)
        may_lack = step.config.password.optional or step.config.passkey.optional
        return may_lack and (step.kind != "registration" or by_mail)

    async def run(self, step: Step) -> Outcome:
        """Go on."""
        schedule_mfa_creation(step)
        return Move(no_back=True)


class GeneratePasskeyCreationOptions(Action, frozen=True):
    """Make a passkey."""

    name: ClassVar[str] = "webauthn_generate_creation_options"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn and there may be a passkey."""
        return step.stash.webauthn_available and step.config.passkey.limit > 0

    async def run(self, step: Step) -> Outcome:
        """Have the browser make one that signs in."""
        step.stash.create_mfa_only = False
        options = await creation_options(step, "passkey")
        return Move(OnboardingVerifyPasskeyAttestation(creation_options=options))


class SkipPasskey(Action, frozen=True):
    """Make no passkey."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without, and has or is offered another way to sign in."""
        config, has = step.config, step.stash.has
        no_password = config.password.enabled and _acquires_password(step) == "never"
        is_last = (step.came_from(PasswordCreation) and not has.password) or (
            step.came_from(PasscodeConfirmation, RegistrationInit) and no_password
        )
        if is_last and not _signs_in_by_mail(step):
            return False
        return config.passkey.optional and not step.came_from(CredentialOnboardingChooser)

    async def run(self, step: Step) -> Outcome:
        """Ask for a password instead, where that is wanted of who has no passkey."""
        if (
            step.config.password.enabled
            and _acquires_password(step) == "conditional"
            and not step.stash.has.password
        ):
            return Move(PasswordCreation)
        schedule_mfa_creation(step)
        return Move()


class VerifyOnboardingAttestation(Action, frozen=True):
    """Send what the authenticator has made."""

    name: ClassVar[str] = "webauthn_verify_attestation_response"
    public_key: Annotated[
        Json, Meta(description="The PublicKeyCredential, as its `toJSON` writes it.")
    ] = None

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the credential."""
        return (Input("public_key", "json"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn."""
        return step.stash.webauthn_available

    async def run(self, step: Step) -> Outcome:
        """Verify it and keep it; with one that is not good nothing goes on (Q-11)."""
        stash = step.stash
        new = await verified(step, self.public_key)
        if isinstance(new, PasskeyInvalid):
            return Refuse(new)
        if not await _keep(step, new):
            return Refuse(PasskeyInvalid())
        if new.is_mfa_only:
            stash.has = msgspec.structs.replace(stash.has, security_key=True)
            stash.enrolled_second_factor = True
        else:
            stash.has = msgspec.structs.replace(stash.has, passkey=True)
        schedule_mfa_creation(step)
        return Move(no_back=True)


async def _keep(step: Step, new: NewCredential) -> bool:
    """Give a user the credential, or gather it for one who is still to be made; False if taken."""
    stash = step.stash
    if is_to_be_made(step):
        stash.new_credentials = (*stash.new_credentials, msgspec.json.encode(new).decode())
        return True
    if stash.user_id is None:
        raise TechnicalError
    me = oneself(step, stash.user_id)
    kept = await step.domains.own_credentials.keep_passkey(me, new)
    return isinstance(kept, Registered)


class RegisterPassword(Action, frozen=True):
    """Choose a password."""

    name: ClassVar[str] = "register_password"
    new_password: Annotated[str, Meta(description="The password.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for a password."""
        one = new_password_input(step, required=not step.config.password.optional)
        return (dataclasses.replace(one, max_length=None),)

    async def run(self, step: Step) -> Outcome:
        """Judge and hash it, and gather it."""
        if not self.new_password:
            return Refuse(FormDataInvalid(), {"new_password": Problem(ValueInvalid())})
        made = await step.outside("password", lambda: prepared_password(step, self.new_password))
        if isinstance(made, Problem):
            return Refuse(FormDataInvalid(), {"new_password": made})
        step.stash.new_password_hash = made.hash
        step.stash.has = msgspec.structs.replace(step.stash.has, password=True)
        schedule_mfa_creation(step)
        return Move(no_back=True)


class SkipPassword(Action, frozen=True):
    """Choose no password."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without, and has or is offered another way to sign in."""
        config, has = step.config, step.stash.has
        no_passkey = config.passkey.enabled and _acquires_passkey(step) == "never"
        is_last = (step.came_from(OnboardingCreatePasskey) and not has.webauthn_credential) or (
            step.came_from(PasscodeConfirmation, RegistrationInit) and no_passkey
        )
        if is_last and not _signs_in_by_mail(step):
            return False
        return config.password.optional and not step.came_from(CredentialOnboardingChooser)

    async def run(self, step: Step) -> Outcome:
        """Ask for a passkey instead, where that is wanted of who has no password."""
        if (
            step.config.passkey.enabled
            and step.stash.webauthn_available
            and _acquires_passkey(step) == "conditional"
            and not step.stash.has.webauthn_credential
        ):
            return Move(OnboardingCreatePasskey)
        schedule_mfa_creation(step)
        return Move()


def _acquires_passkey(step: Step) -> Acquire:
    rules = step.config.passkey
    return rules.acquire_on_login if step.kind == "login" else rules.acquire_on_registration


def _acquires_password(step: Step) -> Acquire:
    rules = step.config.password
    return rules.acquire_on_login if step.kind == "login" else rules.acquire_on_registration


def _signs_in_by_mail(step: Step) -> bool:
    """Say whether an address names and signs in the user (`CLE`)."""
    rules = step.config.email
    is_way_in = rules.enabled and rules.use_for_authentication and rules.use_as_login_identifier
    return is_way_in and bool(step.stash.email)


CREDENTIAL_ONBOARDING = SubFlow(
    "credential_onboarding",
    {
        CredentialOnboardingChooser: (
            ContinueToPasskeyRegistration,
            ContinueToPasswordRegistration,
            SkipCredentials,
            GoBack,
        ),
        OnboardingCreatePasskey: (GeneratePasskeyCreationOptions, SkipPasskey, GoBack),
        OnboardingVerifyPasskeyAttestation: (VerifyOnboardingAttestation, GoBack),
        PasswordCreation: (RegisterPassword, SkipPassword, GoBack),
    },
)
