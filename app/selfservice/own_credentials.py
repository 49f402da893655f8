"""Credentials of signed-in users, changed by themselves: each change with its rules and its notice.

Which changes end the user's other sessions, SEC-027 says.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from app.config.sections import Config
from app.credentials.errors import PasskeyNotFound, TotpNotFound
from app.credentials.passkey_ceremonies import PasskeyCeremonies
from app.credentials.passkey_values import Passkey, Refused, Registered
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords, PreparedPassword
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Accepted, Totp
from app.credentials.trusted_devices import TrustedDevices
from app.credentials.webauthn_json import RegistrationResponse
from app.credentials.webauthn_verify import NewCredential
from app.errors import IdentityError
from app.federation.admission import Redeemed
from app.federation.errors import IdentityNotFound
from app.federation.exchange import Redemption
from app.federation.identities import Identity
from app.federation.service import Federation
from app.mail import Notice
from app.persistence import transaction
from app.selfservice import holdings
from app.selfservice.errors import LastWayIn, SecondFactorRequired
from app.selfservice.holdings import Holdings, credential_of
from app.selfservice.service import Oneself, SelfService
from app.sessions import Sessions
from app.webhooks import Events


@dataclass(frozen=True, slots=True)
class OwnCredentials:
    """Changes of what proves who one is: password, passkeys, second factors, identities elsewhere.

    Every method works alone and inside a transaction that is open.
    """

    config: Config
    passwords: Passwords
    passkeys: Passkeys
    ceremonies: PasskeyCeremonies
    totp: Totp
    recovery_codes: RecoveryCodes
    devices: TrustedDevices
    sessions: Sessions
    federation: Federation
    events: Events
    self_service: SelfService

    async def store_password(self, me: Oneself, prepared: PreparedPassword) -> None:
        """Have a password, in place of any other; a changed one ends what the old has opened."""
        async with transaction():
            held = await self.self_service.locked(me)
            await self.passwords.store(me.actor, me.user_id, prepared, "profile")
            if not held.has_password:
                await self.self_service.tell(me, held, "password_create")
                return
            await self._end_others(me)
            await self._changed_password(me, held)

    async def recover_password(self, me: Oneself, prepared: PreparedPassword) -> None:
        """Have a new password without the old one, by the mail that one reads.

        Nobody is signed in yet: every session and every trusted device ends (SEC-027).
        """
        async with transaction():
            held = await self.self_service.locked(me)
            await self.passwords.store(me.actor, me.user_id, prepared, "recovery")
            await self.sessions.end_all(me.actor, me.user_id)
            await self.devices.forget_all(me.actor, me.user_id)
            await self._changed_password(me, held)

    async def delete_password(self, me: Oneself) -> None:
        """Go without a password.

        Raises:
            LastWayIn: It is needed.
        """
        async with transaction():
            held = await self.self_service.locked(me)
            if not holdings.may_delete_password(self.config, held):
                raise LastWayIn
            await self.passwords.delete(me.actor, me.user_id)
            await self._end_others(me)
            await self.self_service.tell(me, held, "password_delete")

    async def finish_passkey(
        self, me: Oneself, response: RegistrationResponse, bound_to: UUID
    ) -> Registered | Refused:
        """Have another passkey or security key."""
        async with transaction():
            held = await self.self_service.locked(me)
            found = await self.ceremonies.finish_registration(
                me.actor, me.user_id, response, bound_to=bound_to
            )
            if isinstance(found, Registered):
                await self._added(me, held, found.passkey)
        return found

    async def keep_passkey(self, me: Oneself, new: NewCredential) -> Registered | Refused:
        """Have another passkey or security key, which has been verified."""
        async with transaction():
            held = await self.self_service.locked(me)
            found = await self.passkeys.keep(me.actor, me.user_id, new)
            if isinstance(found, Registered):
                await self._added(me, held, found.passkey)
        return found

    async def delete_passkey(self, me: Oneself, credential_id: str) -> Passkey:
        """Give up a passkey or a security key.

        Raises:
            NotFound: One has none of this id (SEC-054).
            LastWayIn, SecondFactorRequired: It is needed.
        """
        async with transaction():
            held = await self.self_service.locked(me)
            passkey = credential_of(held, credential_id)
            if passkey is None:
                raise PasskeyNotFound
            if not holdings.may_delete_passkey(self.config, held, passkey):
                raise SecondFactorRequired if passkey.is_mfa_only else LastWayIn
            await self.passkeys.delete(me.actor, me.user_id, credential_id)
            await self._end_others(me)
            if passkey.is_mfa_only:
                rest = [one for one in held.passkeys if one.id != passkey.id]
                await self._removed_factor(me, replace(held, passkeys=rest))
            else:
                await self.self_service.tell(me, held, "passkey_delete")
        return passkey

    async def store_totp(self, me: Oneself, secret: str, proof: Accepted) -> None:
        """Have an authenticator app.

        Raises:
            TotpExists: One has one already.
        """
        async with transaction():
            held = await self.self_service.locked(me)
            await self.totp.store(me.actor, me.user_id, secret, proof)
            await self.self_service.tell(me, held, "mfa_create")

    async def delete_totp(self, me: Oneself) -> None:
        """Give up the authenticator app.

        Raises:
            TotpNotFound: There is none.
            SecondFactorRequired: It is needed.
        """
        async with transaction():
            held = await self.self_service.locked(me)
            if not held.has_totp:
                raise TotpNotFound
            if not holdings.may_delete_totp(self.config, held):
                raise SecondFactorRequired
            await self.totp.delete(me.actor, me.user_id)
            await self._end_others(me)
            await self._removed_factor(me, replace(held, has_totp=False))

    async def regenerate_recovery_codes(self, me: Oneself) -> list[str]:
        """Have ten new recovery codes, to be shown once; the old ones are void."""
        async with transaction():
            held = await self.self_service.locked(me)
            codes = await self.recovery_codes.generate(me.actor, me.user_id)
            await self.devices.forget_all(me.actor, me.user_id)
            await self.self_service.tell(me, held, "recovery_codes_create")
        return codes

    async def connect_identity(self, me: Oneself, token: str, code_verifier: str) -> Redeemed:
        """Sign in with another identity from now on: the one that an exchange token stands for.

        Raises:
            IdentityError: See `Federation.redeem`.
        """
        wanted = Redemption("profile", code_verifier=code_verifier, user_id=me.user_id)
        try:
            return await self.federation.redeem(me.actor, token, wanted)
        except IdentityError as error:
            await self.federation.note_refusal(me.actor, error)
            raise

    async def disconnect_identity(self, me: Oneself, identity_id: UUID) -> Identity:
        """Sign in with an identity at a provider no longer.

        Raises:
            IdentityNotFound: One has no such identity.
            LastWayIn: It is needed.
        """
        async with transaction():
            held = await self.self_service.locked(me)
            mine = (await self.federation.identities_of([me.user_id]))[me.user_id]
            if all(one.id != identity_id for one in mine):
                raise IdentityNotFound
            shown = self.federation.shown([one for one in mine if one.id == identity_id])
            if not holdings.may_disconnect(self.config, held, identities=len(shown)):
                raise LastWayIn(path=("identity_id",))
            identity = await self.federation.disconnect(me.actor, me.user_id, identity_id)
            name = shown[0][1].display_name if shown else identity.provider
            await self.self_service.tell(me, held, "identity_delete", provider=name)
        return identity

    async def _end_others(self, me: Oneself) -> None:
        """End the sessions and trusted devices that a credential may have opened (SEC-027)."""
        if me.ends_others:
            keep = None if me.signing_in else me.actor.require_session()
            await self.sessions.end_all(me.actor, me.user_id, keep=keep)
            await self.devices.forget_all(me.actor, me.user_id)

    async def _added(self, me: Oneself, held: Holdings, passkey: Passkey) -> None:
        if passkey.is_mfa_only:  # any change of factors voids trust (SEC-059)
            await self.devices.forget_all(me.actor, me.user_id)
        notice: Notice = "mfa_create" if passkey.is_mfa_only else "passkey_create"
        await self.self_service.tell(me, held, notice)

    async def _removed_factor(self, me: Oneself, left: Holdings) -> None:
        """Tell of a second factor that is gone; recovery codes go with the last."""
        await self.devices.forget_all(me.actor, me.user_id)
        if not left.has_totp and not left.count(mfa_only=True):
            await self.recovery_codes.delete(me.actor, me.user_id)
        await self.self_service.tell(me, left, "mfa_delete")

    async def _changed_password(self, me: Oneself, held: Holdings) -> None:
        await self.events.record_user("user.update.password.update", me.actor, me.user_id)
        notice: Notice = "password_update" if held.has_password else "password_create"
        await self.self_service.tell(me, held, notice)
