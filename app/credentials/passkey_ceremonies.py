"""Passkeys and security keys made and used.

A ceremony has two halves. `begin_*` gives the options for the browser, `finish_*` takes what the
browser made of them; between the two stands a challenge that works once (SEC-044). A failed
ceremony is an outcome and not an error, so that its challenge stays taken and its record kept.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from app import base64url
from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config import sections
from app.credentials.errors import PasskeyLimitReached, PasskeyNotFound
from app.credentials.passkey_rules import (
    NOBODYS_KEY,
    check_owner,
    check_use,
    selection_of,
    timeout_of,
)
from app.credentials.passkey_values import (
    COLUMNS,
    UNKNOWN,
    Accepted,
    Kind,
    Passkey,
    Person,
    Refused,
    Registered,
    number_of,
    passkey_of,
)
from app.credentials.passkeys import Passkeys
from app.credentials.webauthn_challenges import Ceremony, Challenges, Purpose
from app.credentials.webauthn_json import (
    AssertionResponse,
    RegistrationResponse,
    creation_options,
    request_options,
)
from app.credentials.webauthn_verify import (
    Assertion,
    CeremonyRefused,
    NewCredential,
    RelyingParty,
    verify_assertion,
    verify_registration,
)
from app.persistence import fetch, transaction

Json = Any
_LOCK_OWNER = """
SELECT id FROM app_user
WHERE id = (SELECT user_id FROM webauthn_credential WHERE credential_id = $1) FOR UPDATE
"""
_LOCK = f"SELECT {COLUMNS} FROM webauthn_credential WHERE credential_id = $1 FOR UPDATE"
_NOTE_USE = f"""
UPDATE webauthn_credential SET sign_count = $2, is_backed_up = $3, last_used_at = $4
WHERE id = $1 RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class PasskeyCeremonies:
    """The ceremonies in which browsers make WebAuthn credentials and use them."""

    rp: RelyingParty
    timeouts: sections.WebAuthnTimeouts
    passkeys: Passkeys
    challenges: Challenges
    audit: AuditLog
    clock: Clock

    async def begin_registration(
        self, person: Person, kind: Kind = "passkey", *, bound_to: UUID | None = None
    ) -> Json:
        """Give the options under which a browser makes a credential.

        Args:
            person: Whom it is for.
            kind: Whether it is to sign in, or to be a second factor alone.
            bound_to: The flow or session that alone may finish this.

        Raises:
            PasskeysDisabled, PasskeyLimitReached: There can be none.
        """
        rules = self.passkeys.rules_of(kind)
        present = await self.passkeys.list(person.id)
        if number_of(present, kind) >= rules.limit:
            raise PasskeyLimitReached
        timeout = timeout_of(self.timeouts.registration, rules.user_verification)
        ceremony = Ceremony(
            "registration",
            person.id,
            bound_to,
            is_mfa_only=kind == "security_key",
            needs_verification=rules.user_verification == "required",
        )
        return creation_options(
            rp={"id": self.rp.id, "name": self.rp.name},
            user={
                "id": base64url.encode(person.id.bytes),
                "name": person.name,
                "displayName": person.display_name,
            },
            challenge=await self.challenges.issue(ceremony, timedelta(milliseconds=timeout)),
            timeout=timeout,
            selection=selection_of(kind, rules),
            attestation=rules.attestation_preference,
            exclude=[one.offered for one in present],
        )

    async def finish_registration(
        self,
        actor: Actor,
        user_id: UUID,
        response: RegistrationResponse,
        *,
        bound_to: UUID | None = None,
    ) -> Registered | Refused:
        """Verify a new credential and keep it.

        Raises:
            NotFound: There is no such user.
        """
        async with transaction():
            new = await self.check_registration(actor, user_id, response, bound_to=bound_to)
            if isinstance(new, Refused):
                return new
            return await self.passkeys.keep(actor, user_id, new)

    async def check_registration(
        self,
        actor: Actor,
        user_id: UUID,
        response: RegistrationResponse,
        *,
        bound_to: UUID | None = None,
    ) -> NewCredential | Refused:
        """Verify a new credential without keeping it: its user may be still to be made."""
        async with transaction():
            try:
                taken = await self.challenges.redeem(response.client_data, "registration", bound_to)
                return self._new(user_id, response, *taken)
            except CeremonyRefused as refused:
                return await self.passkeys.refuse_registration(actor, user_id, str(refused))

    async def begin_login(
        self,
        user_id: UUID | None = None,
        *,
        both_factors: bool = False,
        bound_to: UUID | None = None,
    ) -> Json:
        """Give the options under which a browser signs in, in a form or beside one.

        Args:
            user_id: Who has said who they are. Without it no credential is named, and the
                authenticator says who it is (SEC-054).
            both_factors: Whether the user must be verified, because no second factor can follow.
            bound_to: The flow that alone may finish this.

        Raises:
            PasskeysDisabled: There are no passkeys here.
        """
        rules = self.passkeys.rules_of("passkey")
        wanted = "required" if both_factors else rules.user_verification
        mine = await self.passkeys.list(user_id) if user_id else []
        offered = [one for one in mine if one.kind == "passkey"]
        ids = [one.id for one in offered] if user_id else None
        needs = wanted == "required"
        ceremony = Ceremony("login", user_id, bound_to, needs_verification=needs, offered=ids)
        return await self._request(ceremony, wanted, offered)

    async def finish_login(
        self, actor: Actor, response: AssertionResponse, *, bound_to: UUID | None = None
    ) -> Accepted | Refused:
        """Say who signs in with a passkey.

        A credential that is not known is walked through like one that is (SEC-067).

        Raises:
            PasskeysDisabled: There are no passkeys here.
        """
        self.passkeys.rules_of("passkey")
        return await self._finish(actor, response, "login", bound_to, None)

    async def begin_second_factor(
        self, user_id: UUID, *, used: UUID | None = None, bound_to: UUID | None = None
    ) -> Json:
        """Give the options under which a signed-in half becomes whole.

        Args:
            user_id: Whose second factor.
            used: The id of the passkey that was the first; it cannot be the second as well.
            bound_to: The flow that alone may finish this.

        Raises:
            PasskeysDisabled: There are no security keys here.
            PasskeyNotFound: The user has none that could be used.
        """
        wanted = self.passkeys.rules_of("security_key").user_verification
        kinds = ("passkey", "security_key") if self.passkeys.config.enabled else ("security_key",)
        mine = await self.passkeys.list(user_id)
        offered = [one for one in mine if one.kind in kinds and one.id != used]
        if not offered:
            raise PasskeyNotFound
        ids = [one.id for one in offered]
        needs = wanted == "required"
        ceremony = Ceremony(
            "second_factor", user_id, bound_to, needs_verification=needs, offered=ids
        )
        return await self._request(ceremony, wanted, offered)

    async def finish_second_factor(
        self,
        actor: Actor,
        user_id: UUID,
        response: AssertionResponse,
        *,
        bound_to: UUID | None = None,
    ) -> Accepted | Refused:
        """Say whether the user has the second factor.

        Raises:
            PasskeysDisabled: There are no security keys here.
        """
        self.passkeys.rules_of("security_key")
        return await self._finish(actor, response, "second_factor", bound_to, user_id)

    async def _request(self, ceremony: Ceremony, wanted: str, offered: Sequence[Passkey]) -> Json:
        timeout = timeout_of(self.timeouts.login, wanted)
        challenge = await self.challenges.issue(ceremony, timedelta(milliseconds=timeout))
        return request_options(
            rp_id=self.rp.id,
            challenge=challenge,
            timeout=timeout,
            user_verification=wanted,
            allow=[one.offered for one in offered],
        )

    def _new(
        self, user_id: UUID, response: RegistrationResponse, challenge: bytes, ceremony: Ceremony
    ) -> NewCredential:
        if ceremony.user_id != user_id:
            raise CeremonyRefused("user")
        new = verify_registration(
            response,
            self.rp,
            challenge,
            is_mfa_only=ceremony.is_mfa_only,
            needs_verification=ceremony.needs_verification,
        )
        kind: Kind = "security_key" if new.is_mfa_only else "passkey"
        if self.passkeys.rules_of(kind).attestation_required and not new.is_attested:
            raise CeremonyRefused("attestation")
        return new

    async def _finish(
        self,
        actor: Actor,
        response: AssertionResponse,
        purpose: Purpose,
        bound_to: UUID | None,
        user_id: UUID | None,
    ) -> Accepted | Refused:
        async with transaction():
            try:
                taken = await self.challenges.redeem(response.client_data, purpose, bound_to)
                passkey, assertion = await self._judged(response, *taken, user_id)
            except CeremonyRefused as refused:
                details = {"login_method": "passkey", "step": purpose, "reason": str(refused)}
                await self.audit.record("login_failure", actor, subject=user_id, details=details)
                return Refused(str(refused))
            used = await self._note_use(passkey, assertion)
            details = {"credential_id": passkey.credential_id, "step": purpose}
            subject = passkey.user_id
            await self.audit.record("passkey_verified", actor, subject=subject, details=details)
        return Accepted(passkey.user_id, used, assertion.is_user_verified)

    async def _judged(
        self,
        response: AssertionResponse,
        challenge: bytes,
        ceremony: Ceremony,
        user_id: UUID | None,
    ) -> tuple[Passkey, Assertion]:
        """Find the credential and judge the assertion: the signature first, the rest after it.

        The user's row is locked before the credential's, as by whoever changes either.
        """
        await fetch(_LOCK_OWNER, response.credential_id)
        rows = await fetch(_LOCK, response.credential_id)
        needs = ceremony.needs_verification
        verified = partial(verify_assertion, response, self.rp, challenge, needs_verification=needs)
        if not rows:
            with suppress(CeremonyRefused):
                verified(NOBODYS_KEY)
            raise CeremonyRefused(UNKNOWN)
        passkey = passkey_of(rows[0])
        assertion = verified(passkey.public_key)
        if user_id is not None and ceremony.user_id != user_id:
            raise CeremonyRefused("user")
        check_owner(passkey, ceremony, response.user_handle)
        check_use(passkey, assertion)
        return passkey, assertion

    async def _note_use(self, passkey: Passkey, assertion: Assertion) -> Passkey:
        rows = await fetch(
            _NOTE_USE, passkey.id, assertion.sign_count, assertion.is_backed_up, self.clock()
        )
        return passkey_of(rows[0])
