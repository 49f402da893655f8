"""What a flow knows of its user, and how attempts on an account are counted."""

from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from app.credentials.passkey_values import Person as CredentialOwner
from app.errors import IdentityError
from app.flows.domains import Domains
from app.flows.errors import RateLimitExceeded, TechnicalError
from app.flows.stash import Has
from app.flows.step import Step
from app.ratelimit import Limited, Operation
from app.text import email_key, username_key
from app.users import Account, Email

NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Known:
    """A user as a flow gets to know them."""

    account: Account | None
    emails: list[Email]
    has: Has


async def find_by_email(domains: Domains, address: str) -> Account | None:
    """Find who has an address; where nobody has it, a row is asked for all the same (SEC-067)."""
    found = await domains.users.by_email(address)
    if found is None:
        await domains.users.by_id(NOBODY)
    return found


async def look_up(domains: Domains, user_id: UUID) -> Known:
    """Read a user; for nobody it takes the same questions (SEC-067)."""
    account = await domains.users.by_id(user_id)
    emails = (await domains.users.emails_of([user_id]))[user_id]
    counts = await domains.passkeys.count_of(user_id)
    has = Has(
        password=await domains.passwords.changed_at(user_id) is not None,
        passkey=counts.passkeys > 0,
        security_key=counts.security_keys > 0,
        otp_secret=await domains.totp.of(user_id) is not None,
        username=account is not None and account.username is not None,
        emails=bool(emails),
    )
    return Known(account, emails, has)


async def remember_user(step: Step, user_id: UUID) -> None:
    """Put the user into the stash: who they are, how mail reaches them, and what they have.

    Mail goes to the address as it is stored, never as it was typed: two spellings of one address
    may be two mailboxes (SEC-040). An address that nobody has proved gives way to one that the
    user has, or a stranger could sign in with a mistyped one (SEC-038).

    Raises:
        TechnicalError: There is no such user any more.
    """
    known = await look_up(step.domains, user_id)
    if known.account is None:
        raise TechnicalError
    stash = step.stash
    stash.user_id, stash.username = user_id, known.account.username or ""
    address = _reachable(known.emails, stash.email)
    if address is not None:
        stash.email = address.address
    stash.has = known.has


def _reachable(emails: list[Email], typed: str) -> Email | None:
    """Choose the address that mail goes to: the one that was typed, if it will do."""
    proved = [email for email in emails if email.is_verified]
    good = proved or emails
    key = email_key(typed)
    named = (email for email in good if key is not None and email_key(email.address) == key)
    primary = (email for email in good if email.is_primary)
    return next(chain(named, primary, good), None)


def credential_owner(step: Step) -> CredentialOwner:
    """Say how an authenticator is to show the user (§6.2).

    Raises:
        TechnicalError: The flow knows neither an address nor a user name.
    """
    stash = step.stash
    name = stash.email or stash.username
    if stash.user_id is None or not name:
        raise TechnicalError
    return CredentialOwner(stash.user_id, name, stash.username or name)


def account_key(step: Step) -> str:
    """Name the account that is tried: by its id, or as it was typed where there is none."""
    stash = step.stash
    if stash.user_id is not None:
        return str(stash.user_id)
    return email_key(stash.identification) or username_key(stash.identification)


async def is_known_browser(step: Step) -> bool:
    """Say whether the browser has shown a session or trust of the very account (SEC-042)."""
    user_id, session = step.stash.user_id, step.actor.session
    if user_id is None:
        return False
    if session is not None and session.user_id == user_id:
        return True
    return await step.domains.trusted_devices.is_trusted(user_id, step.request.device_trust)


async def take_attempt(step: Step, operation: Operation, account: str) -> Limited | None:
    """Count an attempt; call it through `Step.outside`, since it may ask Redis."""
    return await step.domains.rate_limits.take(
        operation,
        account=account,
        address=step.actor.origin.address,
        known_browser=await is_known_browser(step),
    )


def too_often(limited: Limited) -> IdentityError:
    """Say that there were too many attempts."""
    return RateLimitExceeded(limited.retry_after)
