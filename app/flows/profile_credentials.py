"""Passwords, passkeys, security keys and the authenticator app in the profile (§2.3)."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from app.credentials.errors import PasskeyInvalid, PasskeyNameInvalid, PasswordRefused
from app.credentials.passkey_values import Kind, Passkey, Refused
from app.credentials.passwords import PreparedPassword
from app.errors import NotFound
from app.flows.errors import FormDataInvalid, OperationNotPermitted, ValueInvalid
from app.flows.inputs import Input, Problem
from app.flows.login_password import new_password_input, password_problem
from app.flows.outcomes import Move, Outcome, Refuse, Stay
from app.flows.passkey_creation import creation_options, read_response
from app.flows.profile_facts import ProfileAction, id_input, person_in
from app.flows.states import MfaOtpSecretCreation, ProfileInit, WebauthnCredentialVerification
from app.flows.step import Action, Step
from app.flows.whose import oneself
from app.selfservice.holdings import (
    credential_of,
    may_delete_passkey,
    may_delete_password,
    may_delete_security_key,
    may_delete_totp,
)

Json = Any


class PasswordCreate(ProfileAction, frozen=True):
    """Set a password."""

    name: ClassVar[str] = "password_create"
    password: Annotated[str, Meta(description="The password.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for it."""
        return (new_password_input(step, required=True, name="password"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it to who has none."""
        return step.config.password.enabled and not person_in(step).has_password

    async def change(self, step: Step) -> Outcome:
        """Judge, hash and store it."""
        words = person_in(step).held.identifiers
        made = await step.outside("password", lambda: _prepared(step, self.password, words))
        if isinstance(made, Problem):
            return Refuse(FormDataInvalid(), {"password": made})
        await step.domains.own_credentials.store_password(oneself(step), made)
        return Stay()


class PasswordUpdate(PasswordCreate, frozen=True):
    """Change the password."""

    name: ClassVar[str] = "password_update"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it to who has one."""
        return step.config.password.enabled and person_in(step).has_password


async def _prepared(step: Step, password: str, words: Sequence[str]) -> PreparedPassword | Problem:
    try:
        return await step.domains.passwords.prepare(password, words)
    except PasswordRefused as refused:
        return password_problem(refused)


class PasswordDelete(ProfileAction, frozen=True):
    """Remove the password."""

    name: ClassVar[str] = "password_delete"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where another way to sign in is left."""
        return may_delete_password(step.config, person_in(step).held)

    async def change(self, step: Step) -> Outcome:
        """Remove it."""
        await step.domains.own_credentials.delete_password(oneself(step))
        return Stay()


class WebauthnCredentialCreate(ProfileAction, frozen=True):
    """Make a passkey."""

    name: ClassVar[str] = "webauthn_credential_create"
    kind: ClassVar[Kind] = "passkey"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn and there is room for one (Q-26)."""
        rules = step.config.passkey
        room = person_in(step).held.count(mfa_only=False) < rules.limit
        return rules.enabled and step.stash.webauthn_available and room

    async def change(self, step: Step) -> Outcome:
        """Have the browser make it."""
        options = await creation_options(step, self.kind, person_in(step).held.owner)
        return Move(WebauthnCredentialVerification(creation_options=options))


class SecurityKeyCreate(WebauthnCredentialCreate, frozen=True):
    """Make a security key."""

    name: ClassVar[str] = "security_key_create"
    kind: ClassVar[Kind] = "security_key"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn and there is room for one."""
        mfa = step.config.mfa
        room = person_in(step).held.count(mfa_only=True) < mfa.security_keys.limit
        return mfa.enabled and mfa.security_keys.enabled and step.stash.webauthn_available and room


class VerifyProfileAttestation(Action, frozen=True):
    """Send what the authenticator has made."""

    name: ClassVar[str] = "webauthn_verify_attestation_response"
    public_key: Annotated[
        Json, Meta(description="The PublicKeyCredential, as its `toJSON` writes it.")
    ] = None

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the credential."""
        return (Input("public_key", "json", required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn and one kind of credentials is in use."""
        mfa = step.config.mfa
        in_use = step.config.passkey.enabled or (mfa.enabled and mfa.security_keys.enabled)
        return step.stash.webauthn_available and in_use

    async def run(self, step: Step) -> Outcome:
        """Keep it, if it is good, and come back in any case."""
        response = read_response(self.public_key)
        if response is None:
            return Move(ProfileInit, error=PasskeyInvalid())
        found = await step.domains.own_credentials.finish_passkey(
            oneself(step), response, step.flow_id
        )
        refused = PasskeyInvalid() if isinstance(found, Refused) else None
        return Move(ProfileInit, error=refused)


class WebauthnCredentialRename(ProfileAction, frozen=True):
    """Call a passkey or a security key something else."""

    name: ClassVar[str] = "webauthn_credential_rename"
    needs_recent: ClassVar[bool] = False
    passkey_id: Annotated[str, Meta(description="The credential's id.")] = ""
    passkey_name: Annotated[str, Meta(description="Its new name.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask which, and for the name."""
        return (id_input("passkey_id"), Input("passkey_name", required=True))

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is any (Q-27)."""
        return bool(person_in(step).passkeys)

    async def change(self, step: Step) -> Outcome:
        """Rename it."""
        if credential_of(person_in(step).held, self.passkey_id) is None:
            return Refuse(NotFound())
        try:
            await step.domains.passkeys.rename(
                step.actor, person_in(step).account.id, self.passkey_id, self.passkey_name
            )
        except PasskeyNameInvalid as refused:  # nothing is written before it is raised
            problem = Problem(ValueInvalid(), refused)
            return Refuse(FormDataInvalid(), {"passkey_name": problem})
        return Stay()


class WebauthnCredentialDelete(ProfileAction, frozen=True):
    """Remove a passkey or a security key."""

    name: ClassVar[str] = "webauthn_credential_delete"
    passkey_id: Annotated[str, Meta(description="The credential's id.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask which."""
        return (id_input("passkey_id"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where one may go; a security key as well, since pages look here (Q-27)."""
        held = person_in(step).held
        return any(may_delete_passkey(step.config, held, one) for one in held.passkeys)

    async def change(self, step: Step) -> Outcome:
        """Remove it, if it may go."""
        return await _delete(step, self.passkey_id)


class SecurityKeyDelete(ProfileAction, frozen=True):
    """Remove a security key."""

    name: ClassVar[str] = "security_key_delete"
    security_key_id: Annotated[str, Meta(description="The credential's id.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask which."""
        return (id_input("security_key_id"),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where one may go."""
        mfa = step.config.mfa
        in_use = mfa.enabled and mfa.security_keys.enabled
        return in_use and may_delete_security_key(step.config, person_in(step).held)

    async def change(self, step: Step) -> Outcome:
        """Remove it."""
        key = credential_of(person_in(step).held, self.security_key_id)
        if key is None or not key.is_mfa_only:
            return Refuse(NotFound())
        return await _delete(step, self.security_key_id)


async def _delete(step: Step, credential_id: str) -> Outcome:
    held = person_in(step).held
    passkey: Passkey | None = credential_of(held, credential_id)
    if passkey is None:
        return Refuse(NotFound())
    if not may_delete_passkey(step.config, held, passkey):
        return Refuse(OperationNotPermitted())
    await step.domains.own_credentials.delete_passkey(oneself(step), credential_id)
    return Stay()


class ProfileOtpSecretCreation(ProfileAction, frozen=True):
    """Set up an authenticator app."""

    name: ClassVar[str] = "continue_to_otp_secret_creation"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it to who has none."""
        return step.config.mfa.totp.enabled and not person_in(step).has_totp

    async def change(self, step: Step) -> Outcome:
        """Show a secret under the name that the user goes by (Q-23, Q-24)."""
        person = person_in(step)
        step.stash.email = person.primary_email.address if person.primary_email else ""
        step.stash.username = person.account.username or ""
        step.stash.otp_secret = ""
        return Move(MfaOtpSecretCreation, ProfileInit)


class OtpSecretDelete(ProfileAction, frozen=True):
    """Remove the authenticator app."""

    name: ClassVar[str] = "otp_secret_delete"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where it may go."""
        return may_delete_totp(step.config, person_in(step).held)

    async def change(self, step: Step) -> Outcome:
        """Remove it."""
        await step.domains.own_credentials.delete_totp(oneself(step))
        return Stay()
