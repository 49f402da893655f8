"""The end of a login or registration: the session, and what the client sees of it."""

from uuid import UUID

from app.flows.errors import OperationNotPermitted, TechnicalError
from app.flows.person import person_of
from app.flows.scheduling import has_second_factor, needs_second_factor
from app.flows.stash import Stash
from app.flows.states import LastLogin
from app.flows.step import Cookie, Step
from app.sessions import Issued, SignIn

_FIRST = {"password": "pwd", "passkey": "passkey", "passcode": "otp"}


async def sign_in(step: Step) -> None:
    """Begin the session of a login; nothing of it exists before this (SEC-032)."""
    await _sign_in(step)
    stash = step.stash
    provider = stash.third_party_provider or None
    if stash.login_method is not None:
        step.show(last_login=LastLogin(stash.login_method, provider, stash.mfa_method))


async def sign_up(step: Step) -> None:
    """Begin the session of a registration; whom a provider has brought is signed in (Q-13)."""
    if step.stash.by_provider:
        await _sign_in(step)
    else:
        await _begin(step, _user_of(step), registration_amr(step.stash))


async def _sign_in(step: Step) -> None:
    """Begin the session of who exists, and record it."""
    user_id, stash = _user_of(step), step.stash
    await _refuse_what_is_too_little(step, user_id)
    amr = login_amr(stash)
    await _begin(step, user_id, amr)
    details: dict[str, object] = {"login_method": stash.login_method, "amr": list(amr)}
    if stash.third_party_provider:
        details["third_party_provider"] = stash.third_party_provider
    if stash.mfa_method is not None:
        details["mfa_method"] = stash.mfa_method
    await step.domains.audit.record("login_success", step.actor, subject=user_id, details=details)
    await step.domains.events.record_user("user.login", step.actor, user_id)


async def trust_device(step: Step) -> None:
    """Let the browser be spared the second factor, where that was shown and is wanted (Q-34)."""
    mfa, stash = step.config.mfa, step.stash
    wanted = mfa.device_trust_policy == "always" or (
        mfa.device_trust_policy == "prompt" and stash.device_trust_granted
    )
    if not wanted or stash.mfa_method is None or stash.user_id is None:
        return
    value = await step.domains.trusted_devices.issue(
        step.actor, stash.user_id, step.request.device_trust
    )
    age = int(mfa.device_trust_duration.total_seconds())
    step.set_cookie(Cookie(mfa.device_trust_cookie_name, value, age))


def login_amr(stash: Stash) -> tuple[str, ...]:
    """Say how the user has proved who they are (§4.5); after a recovery, by mail too (Q-45)."""
    if stash.login_method == "third_party":
        first = _provider(stash)
    else:
        first = _FIRST.get(stash.login_method or "", "")
    mailed = ("otp",) if stash.used_passcode and first != "otp" else ()
    return tuple(one for one in (*mailed, first, stash.mfa_method or "") if one)


def registration_amr(stash: Stash) -> tuple[str, ...]:
    """Say what a registration has used and enrolled, in §4.5's order."""
    enrolled = (
        ("otp", stash.used_passcode),
        ("pwd", bool(stash.new_password_hash)),
        ("passkey", stash.has.passkey),
        ("totp", bool(stash.otp_secret)),
        ("security_key", stash.has.security_key),
    )
    return tuple(name for name, is_there in enrolled if is_there)


def _provider(stash: Stash) -> str:
    return f"ext:{stash.third_party_provider}" if stash.third_party_provider else "ext"


async def _begin(step: Step, user_id: UUID, amr: tuple[str, ...]) -> None:
    """Begin the session, and show the user and what the token claims."""
    domains = step.domains
    await domains.users.note_sign_in(user_id)
    how = SignIn(amr, step.stash.remember_me, step.actor.session)
    issued = await domains.sessions.begin(step.actor, await _signed(step, user_id, how), how)
    verified = await domains.sessions.tokens.read(issued.token)
    user = await person_of(domains, user_id)
    step.issued = issued
    step.show(user=user, claims=verified.claims)


async def _signed(step: Step, user_id: UUID, how: SignIn) -> Issued:
    """Have the session's token signed; outside of the transaction where that asks somebody else.

    Where it fails the step has not been taken: no session is begun or lost, the code is not used
    up, and the same action may be sent once more.
    """
    key, sessions = f"token {user_id} {how.amr}", step.domains.sessions
    if sessions.signs_here:
        return await sessions.sign(await sessions.draft(user_id, step.actor.origin, how))
    if key in step.answers:
        issued: Issued = step.answers[key]
        return issued
    draft = await sessions.draft(user_id, step.actor.origin, how)
    return await step.outside(key, lambda: sessions.sign(draft))


def _user_of(step: Step) -> UUID:
    if step.stash.user_id is None:
        raise TechnicalError
    return step.stash.user_id


async def _refuse_what_is_too_little(step: Step, user_id: UUID) -> None:
    """See, in the transaction that begins the session, that all has been shown that is required.

    That the account is what it was when it was shown, each step has seen; a provider may have been
    switched off since (SEC-084), and the trust in a browser may have ended (SEC-059).

    Raises:
        OperationNotPermitted: Something lacks; who it is may begin anew.
    """
    stash, domains = step.stash, step.domains
    if stash.stamp is None or not stash.onboarding_scheduled:
        raise OperationNotPermitted
    if stash.identity_id is not None:
        mine = (await domains.federation.identities_of([user_id]))[user_id]
        if stash.identity_id not in {one.id for one, _ in domains.federation.shown(mine)}:
            raise OperationNotPermitted
    if stash.trusted_device:
        stash.trusted_device = await domains.trusted_devices.is_trusted(
            user_id, step.request.device_trust
        )
    if (
        has_second_factor(step.config, stash.has)
        and needs_second_factor(step.config, stash)
        and stash.mfa_method is None
        and not stash.enrolled_second_factor
    ):
        raise OperationNotPermitted
