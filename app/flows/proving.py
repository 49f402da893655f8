"""What the proof of an address means for the account it stands on."""

from app.flows.step import Step
from app.flows.whose import remember_user


async def void_what_came_before(step: Step) -> None:
    """Take away what was attached to an account whose address nobody had proved (SEC-064).

    Somebody may have registered another person's address and waited. Where the mailed code alone
    says who signs in, and the address was never verified, the account keeps nothing that opens it:
    no password, passkey, second factor, trusted device or session.
    """
    stash, domains, actor = step.stash, step.domains, step.actor
    user_id = stash.user_id
    by_mail_alone = stash.login_method == "passcode" or stash.recovery_pending
    if step.kind != "login" or user_id is None or not by_mail_alone:
        return
    emails = (await domains.users.emails_of([user_id]))[user_id]
    if any(email.is_verified for email in emails):
        return
    if stash.has.password:
        await domains.passwords.delete(actor, user_id)
    for passkey in await domains.passkeys.list(user_id):
        await domains.passkeys.delete(actor, user_id, passkey.credential_id)
    if await domains.totp.of(user_id) is not None:
        await domains.totp.delete(actor, user_id)
    await domains.recovery_codes.delete(actor, user_id)
    await domains.trusted_devices.forget_all(actor, user_id)
    await domains.sessions.end_all(actor, user_id)
    await remember_user(step, user_id)
