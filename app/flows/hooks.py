"""What happens between states: what was gathered is kept (§2.0)."""

import msgspec

from app.credentials.passkey_values import Refused
from app.credentials.passwords import PreparedPassword
from app.credentials.totp import Accepted
from app.credentials.webauthn_verify import NewCredential
from app.flows.errors import (
    EmailExists,
    OperationNotPermitted,
    TechnicalError,
    UsernameExists,
)
from app.flows.stash import Stash
from app.flows.step import FlowEnds, Step
from app.flows.whose import is_to_be_made, oneself
from app.text import email_key
from app.users import EmailTaken, NewEmail, NewUser, ProfileChanges, UsernameTaken


async def create_email(step: Step) -> None:
    """Give the user the address that the onboarding has asked for, as the primary one.

    Raises:
        FlowEnds: Somebody has taken the address meanwhile.
    """
    stash = step.stash
    is_proved = stash.email_verified or not step.config.email.require_verification
    if stash.user_id is None or not stash.email or not stash.create_email or not is_proved:
        return
    new = NewEmail(stash.email, is_primary=True)
    try:
        await step.domains.users.add_email(step.actor, stash.user_id, new)
    except EmailTaken as taken:
        raise FlowEnds(EmailExists()) from taken
    stash.create_email = False
    stash.has = msgspec.structs.replace(stash.has, emails=True)


async def persist_verified(step: Step) -> None:
    """Keep that the user has proved an address; where it was asked for as a new one, add it.

    Raises:
        OperationNotPermitted: It is not theirs any more; it does not come back by being proved.
        FlowEnds: Somebody has taken the new one meanwhile.
    """
    stash, users = step.stash, step.domains.users
    if not stash.email_verified or stash.user_id is None or is_to_be_made(step):
        return
    emails = (await users.emails_of([stash.user_id]))[stash.user_id]
    key = email_key(stash.email)
    mine = next((email for email in emails if email_key(email.address) == key), None)
    service, me = step.domains.self_service, oneself(step, stash.user_id)
    if mine is None:
        if not stash.create_email:
            raise OperationNotPermitted
        stash.create_email = False
        try:
            await service.add_email(me, stash.email, is_verified=True)
        except EmailTaken as taken:
            raise FlowEnds(EmailExists()) from taken
        await _note_verified(step, stash.email)
    elif not mine.is_verified:
        await service.verify_email(me, mine.id)
    elif stash.login_method != "passcode":
        await _note_verified(step, mine.address)


async def _note_verified(step: Step, address: str) -> None:
    details = {"email": address}
    await step.domains.audit.record(
        "email_verified", step.actor, subject=step.stash.user_id, details=details
    )


async def persist_password(step: Step) -> None:
    """Keep the password that the onboarding has asked for."""
    stash = step.stash
    if not stash.new_password_hash or stash.user_id is None:
        return
    made = PreparedPassword(stash.new_password_hash, imported=False)
    await step.domains.own_credentials.store_password(oneself(step, stash.user_id), made)
    stash.new_password_hash = ""


async def persist_credentials(step: Step) -> None:
    """Keep the WebAuthn credentials that were verified."""
    stash = step.stash
    if stash.user_id is None:
        return
    for content in stash.new_credentials:
        new = msgspec.json.decode(content, type=NewCredential)
        kept = await step.domains.passkeys.keep(step.actor, stash.user_id, new)
        if isinstance(kept, Refused):
            raise TechnicalError
    stash.new_credentials = ()


async def create_user(step: Step) -> None:
    """Make the account of a registration with everything that was gathered for it.

    Raises:
        TechnicalError: The address was to be proved and was not, or there is no one to make.
        FlowEnds: Somebody has taken the address or the name meanwhile.
    """
    stash, domains = step.stash, step.domains
    if stash.skip_user_creation:
        return
    must_prove = bool(stash.email) and step.config.email.require_verification
    if stash.user_id is None or (must_prove and not stash.email_verified):
        raise TechnicalError
    address = NewEmail(stash.email, is_primary=True, is_verified=stash.email_verified)
    profile = ProfileChanges(username=stash.username) if stash.username else ProfileChanges()
    emails = (address,) if stash.email else ()
    new = NewUser(id=stash.user_id, emails=emails, profile=profile)
    try:
        await domains.users.create(
            step.actor,
            new,
            then=lambda _: _keep_what_signs_in(step),
            ways_in=_what_signs_in(stash),
        )
    except EmailTaken as taken:
        raise FlowEnds(EmailExists()) from taken
    except UsernameTaken as taken:
        raise FlowEnds(UsernameExists()) from taken


def _what_signs_in(stash: Stash) -> dict[str, object]:
    """Name what the registration has gathered, as the audit record does."""
    found: dict[str, object] = {}
    for content in stash.new_credentials:
        new = msgspec.json.decode(content, type=NewCredential)
        found["security_key" if new.is_mfa_only else "passkey"] = new.credential_id
    if stash.new_password_hash:
        found["password"] = True
    if stash.otp_secret and stash.otp_step is not None:
        found["otp_secret"] = True
    return found


async def _keep_what_signs_in(step: Step) -> None:
    """Keep the password, the credentials and the app that the registration has gathered."""
    stash, domains = step.stash, step.domains
    if stash.user_id is None:
        return
    if stash.new_password_hash:
        made = PreparedPassword(stash.new_password_hash, imported=False)
        await domains.passwords.store(step.actor, stash.user_id, made, "registration")
    await persist_credentials(step)
    if stash.otp_secret and stash.otp_step is not None:
        proof = Accepted(stash.otp_step)
        await domains.totp.store(step.actor, stash.user_id, stash.otp_secret, proof)
