"""What has been shown of whoever signs in, and how long it counts.

A flow may rest for a day. What a first factor has shown counts under the account's security stamp
alone: as soon as anything changes that opens the account, the flow leads nowhere any more.
"""

from app.flows.errors import OperationNotPermitted, TechnicalError
from app.flows.step import Step
from app.flows.whose import NOBODY, look_up, reachable, remember_user


def signs_in_by_mail(step: Step) -> bool:
    """Say whether a mailed code is to say, alone, who signs in."""
    return step.kind == "login" and step.stash.stamp is None


async def is_still_reached(step: Step) -> bool:
    """Say whether the address that a code went to is still the user's; their row is then locked.

    For nobody it takes the same questions (SEC-067).
    """
    user_id = step.stash.user_id or NOBODY
    await step.domains.users.stamp_of(user_id)
    address = reachable((await look_up(step.domains, user_id)).emails, step.stash.email)
    return address is not None and address.address == step.stash.email


async def prove(step: Step) -> None:
    """Note that the user has shown a first factor, and read anew what they have.

    The user's row stays locked until the step ends, so nothing changes in between.

    Raises:
        OperationNotPermitted: There is no such user any more.
        TechnicalError: The flow knows no user.
    """
    stash = step.stash
    if stash.user_id is None:
        raise TechnicalError
    stamp = await step.domains.users.stamp_of(stash.user_id)
    if stamp is None:
        raise OperationNotPermitted
    await remember_user(step, stash.user_id)
    if not stash.has.emails:
        stash.email = ""
    stash.stamp = stamp


async def refuse_what_has_changed(step: Step) -> None:
    """See, before anything else, that what opens the account is what it was (SEC-027, SEC-032).

    Raises:
        OperationNotPermitted: It is not; who it is may begin anew.
    """
    stash = step.stash
    if stash.stamp is None or stash.user_id is None:
        return
    if await step.domains.users.stamp_of(stash.user_id) != stash.stamp:
        raise OperationNotPermitted


async def keep_up(step: Step) -> None:
    """Go on under the stamp that the step itself has raised."""
    stash = step.stash
    if stash.stamp is not None and stash.user_id is not None:
        stash.stamp = await step.domains.users.stamp_of(stash.user_id)


async def void_what_came_before(step: Step) -> None:
    """Take away what was attached to an account whose address nobody had proved (SEC-064).

    Somebody may have registered another person's address and waited. Where the mailed code alone
    says who signs in, and the address was never verified, the account keeps nothing that opens it:
    no password, passkey, identity at a provider, second factor, trusted device or session. Call it
    while the user's row is locked.
    """
    domains, actor, user_id = step.domains, step.actor, step.stash.user_id
    if user_id is None:
        return
    emails = (await domains.users.emails_of([user_id]))[user_id]
    if any(email.is_verified for email in emails):
        return
    if await domains.passwords.changed_at(user_id) is not None:
        await domains.passwords.delete(actor, user_id)
    for passkey in await domains.passkeys.list(user_id):
        await domains.passkeys.delete(actor, user_id, passkey.credential_id)
    if await domains.totp.of(user_id) is not None:
        await domains.totp.delete(actor, user_id)
    await domains.recovery_codes.delete(actor, user_id)
    await domains.federation.forget_all(actor, user_id)
    await domains.trusted_devices.forget_all(actor, user_id)
    await domains.sessions.end_all(actor, user_id)
