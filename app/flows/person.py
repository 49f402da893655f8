"""The user of a flow as the last step and the profile show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.credentials.passkey_values import Passkey
from app.federation.connector import Provider
from app.federation.identities import Identity
from app.flows.domains import Domains
from app.metadata import Bags
from app.selfservice import Holdings
from app.users import Account, Email


@dataclass(frozen=True, slots=True)
class Person:
    """An account with everything of it that its user may see; never the private bag."""

    account: Account
    emails: Sequence[Email]
    bags: Bags
    passkeys: Sequence[Passkey]
    has_password: bool
    has_totp: bool
    identities: Sequence[tuple[Identity, Provider]] = ()
    """Who they are at the providers that are on."""

    @property
    def primary_email(self) -> Email | None:
        """The address that mail goes to."""
        return next((email for email in self.emails if email.is_primary), None)

    @property
    def held(self) -> Holdings:
        """What they have, for the rules of what may go."""
        return Holdings(
            self.account,
            self.emails,
            self.passkeys,
            self.has_password,
            self.has_totp,
            len(self.identities),
        )


async def person_of(domains: Domains, user_id: UUID) -> Person | None:
    """Read a user, or None where there is none any more."""
    account = await domains.users.by_id(user_id)
    if account is None:
        return None
    emails = (await domains.users.emails_of([user_id]))[user_id]
    bags = (await domains.metadata.of([user_id])).get(user_id) or Bags(user_id)
    passkeys = await domains.passkeys.list(user_id)
    changed_at = await domains.passwords.changed_at(user_id)
    totp = await domains.totp.of(user_id)
    identities = (await domains.federation.identities_of([user_id]))[user_id]
    return Person(
        account,
        emails,
        bags,
        passkeys,
        changed_at is not None,
        totp is not None,
        domains.federation.shown(identities),
    )
