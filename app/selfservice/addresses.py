"""Addresses that signed-in users add and prove outside of a flow.

An address is the user's only once a code that was mailed to it was entered, in the session that has
asked for it (SEC-040). Until then nothing tells whether somebody else has it (SEC-066).
"""

from dataclasses import dataclass
from uuid import UUID

from app.config.sections import Config
from app.credentials.passcodes import Binding, Matched, Outcome, Passcodes
from app.mail import CARRY_A_CODE, Mail, Template
from app.persistence import transaction
from app.ratelimit import Operation, RateLimits
from app.selfservice.service import Oneself, SelfService
from app.text import email_key
from app.users import Account, Email, EmailInvalid, EmailLimitReached, EmailTaken, Users

_PURPOSE: Template = "email_verification"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Mails codes to addresses that a user wants to have, and takes the codes back."""

    config: Config
    users: Users
    passcodes: Passcodes
    rate_limits: RateLimits
    mail: Mail
    self_service: SelfService

    async def ask(self, me: Oneself, address: str) -> Email | None:
        """Have an address, or have a code mailed to it first, where addresses are to be proved.

        Returns:
            The address, or None where a code is on its way, or looks as if it were.

        Raises:
            EmailInvalid, EmailTaken, EmailLimitReached: It is refused.
            RateLimited: Too many codes were asked for.
        """
        if email_key(address) is None or len(address.strip()) > self.config.email.max_length:
            raise EmailInvalid(path=("address",))
        if not self.config.email.require_verification:
            return await self.self_service.add_email(me, address, is_verified=False)
        owner = await self.users.by_email(address)
        mine = (await self.users.emails_of([me.user_id]))[me.user_id]
        kept = _same(mine, address)
        if kept is None and len(mine) >= self.config.email.limit:
            raise EmailLimitReached(path=("address",))
        hints = self.config.privacy.show_account_existence_hints
        if (kept is not None and kept.is_verified) or (owner and kept is None and hints):
            raise EmailTaken(path=("address",))
        await self._mail(me, address, kept, owner)
        return None

    async def prove(self, me: Oneself, address: str, code: str) -> Email | Outcome:
        """Take back the code that was mailed to an address, which is then the user's and verified.

        Returns:
            The address; or what is wrong with the code, which has been counted.

        Raises:
            EmailTaken, EmailLimitReached: The address cannot be had any more.
            RateLimited: Too many codes were tried.
        """
        mine = (await self.users.emails_of([me.user_id]))[me.user_id]
        kept = _same(mine, address)
        binding = _binding(me, kept.address if kept else address, _PURPOSE)
        await self._take(me, "passcode_guess", binding.account)
        async with transaction():
            found = await self.passcodes.verify(binding, code, known_browser=True)
            if not isinstance(found, Matched):
                return found
            if kept is not None:
                return await self.self_service.verify_email(me, kept.id)
            return await self.self_service.add_email(me, address, is_verified=True)

    async def _mail(
        self, me: Oneself, address: str, kept: Email | None, owner: Account | None
    ) -> None:
        """Mail a code; to the owner of a stranger's address a word of it, with the same work."""
        template: Template = _PURPOSE
        recipient = kept.address if kept else address
        reader = await self.users.by_id(me.user_id)
        wishes: tuple[str | None, ...] = (
            me.asked_language,
            reader.locale if reader else None,
            me.actor.origin.browser_language,
        )
        if owner is not None and kept is None:
            template, wishes = "email_registration_attempted", (owner.locale,)
            theirs = _same((await self.users.emails_of([owner.id]))[owner.id], address)
            recipient = theirs.address if theirs else address
        binding = _binding(me, recipient, template)
        await self._take(me, "passcode", f"mailed:{binding.folded}")
        carries = template in CARRY_A_CODE
        async with transaction():
            made = await self.passcodes.issue(binding, is_decoy=not carries)
            language = self.mail.language(*wishes)
            values = {"code": made.code} if carries else {}
            await self.mail.send(template, recipient, language, values, expires_at=made.expires_at)

    async def _take(self, me: Oneself, operation: Operation, account: str) -> None:
        await self.rate_limits.charge(
            operation,
            account=account,
            address=me.actor.origin.address,
            known_browser=True,
            actor=me.actor,
        )


def _binding(me: Oneself, address: str, purpose: str) -> Binding:
    """Bind a code to the session, which stands where a flow would (SEC-039)."""
    session_id: UUID = me.actor.require_session()
    return Binding(session_id, purpose, address, me.user_id)


def _same(emails: list[Email], address: str) -> Email | None:
    key = email_key(address)
    return next((one for one in emails if email_key(one.address) == key), None)
