"""What happens between states: what was gathered is kept (§2.0)."""

import msgspec

from app.credentials.passkey_values import Refused
from app.credentials.passwords import PreparedPassword
from app.credentials.totp import Accepted
from app.credentials.webauthn_verify import NewCredential
from app.flows.errors import TechnicalError
from app.flows.step import Step
from app.text import email_key
from app.users import Email, NewEmail, NewUser, ProfileChanges


async def create_email(step: Step) -> None:
    """Give the user the address that the onboarding has asked for, as the primary one."""
    stash = step.stash
    is_proved = stash.email_verified or not step.config.email.require_verification
    if stash.user_id is None or not stash.email or not stash.create_email or not is_proved:
        return
    new = NewEmail(stash.email, is_primary=True)
    await step.domains.users.add_email(step.actor, stash.user_id, new)
    stash.create_email = False
    stash.has = msgspec.structs.replace(stash.has, emails=True)


async def persist_verified(step: Step) -> None:
    """Keep that the user has proved an address; where it is not theirs yet, make it so."""
    stash, users = step.stash, step.domains.users
    if not stash.email_verified or stash.user_id is None or _is_to_be_made(step):
        return
    emails = (await users.emails_of([stash.user_id]))[stash.user_id]
    key = email_key(stash.email)
    mine = next((email for email in emails if email_key(email.address) == key), None)
    if mine is None:
        primary = next((email for email in emails if email.is_primary), None)
        new = NewEmail(stash.email, is_verified=True)
        await users.add_email(step.actor, stash.user_id, new)
        await _note_verified(step, stash.email)
        if primary is not None:
            await _tell_of_new_address(step, primary)
    elif not mine.is_verified:
        await users.verify_email(step.actor, stash.user_id, mine.id)
    elif stash.login_method != "passcode":
        await _note_verified(step, mine.address)


def _is_to_be_made(step: Step) -> bool:
    """Say whether the account is made at the end of the flow, with all that was gathered."""
    return step.kind == "registration" and not step.stash.skip_user_creation


async def _note_verified(step: Step, address: str) -> None:
    details = {"email": address, "flow_id": str(step.flow_id)}
    await step.domains.audit.record(
        "email_verified", step.actor, subject=step.stash.user_id, details=details
    )


async def _tell_of_new_address(step: Step, primary: Email) -> None:
    """Write to the address that was there before (SEC-037)."""
    domains = step.domains
    account = await domains.users.by_id(primary.user_id)
    if account is not None:
        values = {"new_address": step.stash.email}
        await domains.self_service.notices.send(
            "email_create", account, primary, step.language, values
        )


async def persist_password(step: Step) -> None:
    """Keep the password that the onboarding has asked for."""
    stash = step.stash
    if not stash.new_password_hash or stash.user_id is None:
        return
    made = PreparedPassword(stash.new_password_hash, imported=False)
    await step.domains.passwords.store(step.actor, stash.user_id, made, "profile")
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
        Conflict: Somebody has taken the address or the name meanwhile.
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
    await domains.users.create(step.actor, new)
    if stash.new_password_hash:
        made = PreparedPassword(stash.new_password_hash, imported=False)
        await domains.passwords.store(step.actor, stash.user_id, made, "registration")
    await persist_credentials(step)
    if stash.otp_secret and stash.otp_step is not None:
        proof = Accepted(stash.otp_step)
        await domains.totp.store(step.actor, stash.user_id, stash.otp_secret, proof)
