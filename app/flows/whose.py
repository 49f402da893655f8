"""What a flow knows of its user, and how attempts on an account are counted."""

from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from app.config.sections import Config
from app.credentials.guessing import Paused
from app.credentials.passkey_values import Person as CredentialOwner
from app.federation.admission import Redeemed
from app.flows.domains import Domains
from app.flows.errors import RateLimitExceeded, TechnicalError
from app.flows.outcomes import Refuse
from app.flows.stash import Has, Stash
from app.flows.step import Step
from app.ratelimit import Limited, Operation
from app.selfservice import Oneself
from app.text import email_key, username_key
from app.users import Account, Email

NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Known:
    """A user as a flow gets to know them."""

    account: Account | None
    emails: list[Email]
    has: Has


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
    stash.locale = known.account.locale or ""
    address = reachable(known.emails, stash.email)
    if address is not None:
        stash.email = address.address
    stash.has = known.has


def reachable(emails: list[Email], typed: str) -> Email | None:
    """Choose the address that mail goes to: the one that was typed, if it will do."""
    proved = [email for email in emails if email.is_verified]
    good = proved or emails
    key = email_key(typed)
    named = (email for email in good if key is not None and email_key(email.address) == key)
    primary = (email for email in good if email.is_primary)
    return next(chain(named, primary, good), None)


def is_to_be_made(step: Step) -> bool:
    """Say whether the account is made at the end of the flow, with all that was gathered."""
    return step.kind == "registration" and not step.stash.skip_user_creation


def is_to_be_proved(config: Config, redeemed: Redeemed) -> bool:
    """Say whether who has come back from a provider is to prove the address by a code (Q-14).

    Where a SAML provider may not vouch for addresses they are proved in any case.
    """
    if redeemed.address is None or redeemed.address_is_proved:
        return False
    return redeemed.provider.is_saml or config.email.require_verification


def oneself(step: Step, signing_in: UUID | None = None) -> Oneself:
    """Say who changes what is theirs: who has a session, or is about to have one."""
    return Oneself(step.actor, step.language, signing_in=signing_in)


def credential_owner(step: Step) -> CredentialOwner:
    """Say how an authenticator is to show the user (§6.2).

    Raises:
        TechnicalError: The flow knows no user.
    """
    stash = step.stash
    if stash.user_id is None:
        raise TechnicalError
    name = called(stash)
    return CredentialOwner(stash.user_id, name, stash.username or name)


def called(stash: Stash) -> str:
    """Name the user to themself; whom a provider has brought may have an id alone."""
    return stash.email or stash.username or str(stash.user_id or "")


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
        actor=step.actor,
    )


def too_often(limited: Limited | Paused) -> RateLimitExceeded:
    """Say that there were too many attempts."""
    return RateLimitExceeded(limited.retry_after)


def refuse_for_now(limited: Limited | Paused, *, shown_as: str = "") -> Refuse:
    """Refuse one attempt too many.

    Args:
        limited: How long it is too early.
        shown_as: The member of the state that says so, where it has one.
    """
    show = {shown_as: limited.retry_after} if shown_as else {}
    return Refuse(too_often(limited), show=show)
