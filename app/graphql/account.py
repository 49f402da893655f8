"""What signed-in users change of their own account."""

from typing import Annotated, cast

import strawberry

from app.credentials.guessing import Paused
from app.credentials.passcodes import Exhausted
from app.credentials.passkey_values import Kind, Refused
from app.credentials.webauthn_json import read_registration
from app.errors import NotFound, RateLimited
from app.flows.errors import OtpCodeInvalid, PasscodeInvalid, PasscodeMaxAttempts
from app.graphql.context import Context, Info
from app.graphql.credential_types import PasskeyKind, PasskeyType
from app.graphql.errors import UserError, user_error
from app.graphql.guards import requires_session
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.scalars import JSON
from app.graphql.user_type import EmailType, UserType
from app.graphql.users import DeletePayload, EmailId, EmailPayload, UserPayload
from app.selfservice import Holdings, Oneself
from app.users import Email

_ERRORS = "Why it was refused; empty where it was not."
CredentialId = Annotated[
    strawberry.ID, strawberry.argument(description="The credential's id, as WebAuthn has it.")
]
DeviceId = Annotated[strawberry.ID, strawberry.argument(description="The device's UUID.")]


@strawberry.type(description="What became of a passkey or security key.")
class PasskeyPayload:
    """A credential."""

    passkey: PasskeyType | None = strawberry.field(description="The credential as it is now.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What the browser makes a credential with.")
class PasskeyOptionsPayload:
    """Options of a ceremony."""

    options: JSON | None = strawberry.field(
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON`."
    )
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What an authenticator app is set up with.")
class TotpEnrolmentPayload:
    """The secret of an app that is being set up."""

    secret: str | None = strawberry.field(description="The secret, to type it in.")
    uri: str | None = strawberry.field(description="The same as an `otpauth` URI.")
    qr_code: str | None = strawberry.field(description="The same as a picture, in a data URL.")
    enrolment: str | None = strawberry.field(description="What `finishTotpEnrolment` takes.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="New recovery codes.")
class RecoveryCodesPayload:
    """Recovery codes, shown once."""

    codes: list[str] | None = strawberry.field(description="The codes; the old ones are void.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.input(description="An address to have.")
class AddEmailInput:
    """An address."""

    address: str = strawberry.field(description="The e-mail address.")


@strawberry.input(description="The proof of an address.")
class VerifyEmailInput:
    """A mailed code."""

    address: str = strawberry.field(description="The e-mail address.")
    code: str = strawberry.field(description="The code that was mailed to it.")


@strawberry.input(description="A new password.")
class SetPasswordInput:
    """A password."""

    password: str = strawberry.field(description="8 characters or more, as configured.")
    keep_other_sessions: bool = strawberry.field(
        default=False, description="Let other sessions and trusted devices live on."
    )


@strawberry.input(description="A credential to make.")
class BeginPasskeyInput:
    """A kind of credential."""

    kind: PasskeyKind = strawberry.field(
        default=PasskeyKind.PASSKEY, description="What it is to be for."
    )


@strawberry.input(description="A credential that the browser has made.")
class FinishPasskeyInput:
    """A new credential."""

    response: JSON = strawberry.field(
        description="The PublicKeyCredential, as its `toJSON` writes it."
    )


@strawberry.input(description="A new name.")
class RenamePasskeyInput:
    """A name."""

    name: str = strawberry.field(description="1 to 100 characters.")


@strawberry.input(description="The proof that an app was set up.")
class FinishTotpInput:
    """A code of the new app."""

    enrolment: str = strawberry.field(description="What `beginTotpEnrolment` gave.")
    code: str = strawberry.field(description="The six digits.")


@strawberry.type
class AccountMutations:
    """Changes of one's own account."""

    @mutation(
        "Have another address. Where addresses are to be proved, a code is mailed to it, `email` "
        "is null, and `verifyEmail` follows.",
        requires_session(),
        recent=True,
    )
    async def add_email(
        self,
        info: Info,
        input: Annotated[AddEmailInput, strawberry.argument(description="The address.")],  # noqa: A002
    ) -> EmailPayload:
        """Add an address, or mail a code to it."""
        found = await info.context.services.addresses.ask(_me(info), input.address)
        return EmailPayload(email=EmailType.of(found) if found else None, user_errors=[])

    @mutation("Prove an address by the code that was mailed to it.", requires_session())
    async def verify_email(
        self,
        info: Info,
        input: Annotated[VerifyEmailInput, strawberry.argument(description="The proof.")],  # noqa: A002
    ) -> EmailPayload:
        """Take a code back."""
        services = info.context.services
        found = await services.addresses.prove(_me(info), input.address, input.code)
        match found:
            case Email():
                return EmailPayload(email=EmailType.of(found), user_errors=[])
            case Paused():
                raise RateLimited(found.retry_after)
            case Exhausted():
                raise PasscodeMaxAttempts(path=("code",))
            case _:
                raise PasscodeInvalid(path=("code",))

    @mutation("Have mail go to another of your addresses.", requires_session(), recent=True)
    async def set_primary_email(self, info: Info, email_id: EmailId) -> EmailPayload:
        """Change the primary address."""
        service = info.context.services.self_service
        email = await service.set_primary_email(_me(info), id_of(email_id, "email_id"))
        return EmailPayload(email=EmailType.of(email), user_errors=[])

    @mutation("Give up an address, if you can still sign in.", requires_session(), recent=True)
    async def delete_email(self, info: Info, email_id: EmailId) -> DeletePayload:
        """Delete an address."""
        service = info.context.services.self_service
        await service.delete_email(_me(info), id_of(email_id, "email_id"))
        return DeletePayload(deleted_id=email_id, user_errors=[])

    @mutation(
        "Have a password in place of any other, and end your other sessions.",
        requires_session(),
        solo=True,
        recent=True,
    )
    async def set_password(
        self,
        info: Info,
        input: Annotated[SetPasswordInput, strawberry.argument(description="The password.")],  # noqa: A002
    ) -> UserPayload:
        """Set the password."""
        context = info.context
        me = Oneself(context.actor, ends_others=not input.keep_other_sessions)
        held = await _held(context)
        made = await context.services.passwords.prepare(input.password, held.identifiers)
        await context.services.own_credentials.store_password(me, made)
        return await _payload(context)

    @mutation(
        "Go without a password, if you can still sign in, and end your other sessions.",
        requires_session(),
        recent=True,
    )
    async def delete_password(self, info: Info) -> UserPayload:
        """Delete the password."""
        await info.context.services.own_credentials.delete_password(_me(info))
        return await _payload(info.context)

    @mutation("Begin to make a passkey or a security key.", requires_session(), recent=True)
    async def begin_passkey_registration(
        self,
        info: Info,
        input: Annotated[BeginPasskeyInput, strawberry.argument(description="The kind.")],  # noqa: A002
    ) -> PasskeyOptionsPayload:
        """Begin a ceremony."""
        context = info.context
        options = await context.services.ceremonies.begin_registration(
            (await _held(context)).owner,
            cast("Kind", input.kind.value),
            bound_to=context.actor.require_session(),
        )
        return PasskeyOptionsPayload(options=options, user_errors=[])

    @mutation("Have what the browser has made.", requires_session(), recent=True)
    async def finish_passkey_registration(
        self,
        info: Info,
        input: Annotated[FinishPasskeyInput, strawberry.argument(description="The credential.")],  # noqa: A002
    ) -> PasskeyPayload:
        """Finish a ceremony, in the session that has begun it."""
        context = info.context
        found = await context.services.own_credentials.finish_passkey(
            _me(info), read_registration(input.response), context.actor.require_session()
        )
        if isinstance(found, Refused):
            return PasskeyPayload(passkey=None, user_errors=[user_error(found.error, {"input"})])
        return PasskeyPayload(passkey=PasskeyType.of(found.passkey), user_errors=[])

    @mutation("Call a passkey or a security key something else.", requires_session())
    async def rename_passkey(
        self,
        info: Info,
        credential_id: CredentialId,
        input: Annotated[RenamePasskeyInput, strawberry.argument(description="The name.")],  # noqa: A002
    ) -> PasskeyPayload:
        """Rename a credential."""
        services, actor = info.context.services, info.context.actor
        renamed = await services.passkeys.rename(
            actor, actor.require_user(), credential_id, input.name
        )
        return PasskeyPayload(passkey=PasskeyType.of(renamed), user_errors=[])

    @mutation(
        "Give up a passkey or a security key, if you can still sign in, and end your other "
        "sessions.",
        requires_session(),
        recent=True,
    )
    async def delete_passkey(self, info: Info, credential_id: CredentialId) -> DeletePayload:
        """Delete a credential."""
        await info.context.services.own_credentials.delete_passkey(_me(info), credential_id)
        return DeletePayload(deleted_id=credential_id, user_errors=[])

    @mutation("Begin to set up an authenticator app.", requires_session(), recent=True, solo=True)
    async def begin_totp_enrolment(self, info: Info) -> TotpEnrolmentPayload:
        """Offer a secret."""
        begun = await info.context.services.totp_enrolment.begin(_me(info))
        return TotpEnrolmentPayload(
            secret=begun.offer.secret,
            uri=begun.offer.uri,
            qr_code=begun.offer.png,
            enrolment=begun.sealed,
            user_errors=[],
        )

    @mutation("Have the app that shows this code.", requires_session(), recent=True)
    async def finish_totp_enrolment(
        self,
        info: Info,
        input: Annotated[FinishTotpInput, strawberry.argument(description="The proof.")],  # noqa: A002
    ) -> UserPayload:
        """Finish the set-up."""
        service = info.context.services.totp_enrolment
        if not await service.finish(_me(info), input.enrolment, input.code):
            raise OtpCodeInvalid(path=("code",))
        return await _payload(info.context)

    @mutation(
        "Give up the authenticator app, if you may, and end your other sessions.",
        requires_session(),
        recent=True,
    )
    async def delete_totp(self, info: Info) -> UserPayload:
        """Delete the app."""
        await info.context.services.own_credentials.delete_totp(_me(info))
        return await _payload(info.context)

    @mutation(
        "Have ten new recovery codes, shown once; the old ones are void.",
        requires_session(),
        solo=True,
        recent=True,
    )
    async def regenerate_recovery_codes(self, info: Info) -> RecoveryCodesPayload:
        """Make recovery codes."""
        codes = await info.context.services.own_credentials.regenerate_recovery_codes(_me(info))
        return RecoveryCodesPayload(codes=codes, user_errors=[])

    @mutation("Ask for the second factor on a device again.", requires_session())
    async def forget_trusted_device(self, info: Info, device_id: DeviceId) -> DeletePayload:
        """Trust a device no longer."""
        services, actor = info.context.services, info.context.actor
        await services.trusted_devices.forget(
            actor, actor.require_user(), id_of(device_id, "device_id")
        )
        return DeletePayload(deleted_id=device_id, user_errors=[])

    @mutation(
        "Delete your account with everything in it, where users may.",
        requires_session(),
        recent=True,
    )
    async def delete_me(self, info: Info) -> DeletePayload:
        """Delete the caller; the browser forgets its cookie."""
        me = _me(info)
        await info.context.services.self_service.delete_account(me)
        info.context.forget_session()
        return DeletePayload(deleted_id=strawberry.ID(str(me.user_id)), user_errors=[])


def _me(info: Info) -> Oneself:
    return Oneself(info.context.actor)


async def _held(context: Context) -> Holdings:
    held = await context.services.self_service.held(context.actor.require_user())
    if held is None:
        raise NotFound
    return held


async def _payload(context: Context) -> UserPayload:
    account = await context.services.users.by_id(context.actor.require_user())
    return UserPayload(user=UserType.of(account) if account else None, user_errors=[])
