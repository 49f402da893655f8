"""The end of a login or registration: the session, and what the client sees of it."""

from uuid import UUID

from app.credentials.passwords import Verified
from app.flows.errors import OperationNotPermitted, TechnicalError
from app.flows.person import person_of
from app.flows.scheduling import has_second_factor, needs_second_factor
from app.flows.stash import Stash
from app.flows.states import LastLogin
from app.flows.step import Cookie, Step
from app.flows.whose import look_up
from app.sessions import SignIn

_FIRST = {"password": "pwd", "passkey": "passkey", "passcode": "otp"}


async def sign_in(step: Step) -> None:
    """Begin the session of a login; nothing of it exists before this (SEC-032)."""
    user_id = _user_of(step)
    await _refuse_what_has_changed(step, user_id)
    amr = login_amr(step.stash)
    await _begin(step, user_id, amr)
    stash = step.stash
    provider = stash.third_party_provider or None
    if stash.login_method is not None:
        step.show(last_login=LastLogin(stash.login_method, provider, stash.mfa_method))
    details = {"login_method": stash.login_method, "flow_id": str(step.flow_id), "amr": list(amr)}
    if stash.mfa_method is not None:
        details["mfa_method"] = stash.mfa_method
    await step.domains.audit.record("login_success", step.actor, subject=user_id, details=details)


async def sign_up(step: Step) -> None:
    """Begin the session of a registration."""
    await _begin(step, _user_of(step), registration_amr(step.stash))


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
        (_provider(stash), bool(stash.third_party_provider)),
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
    issued = await domains.sessions.issue(step.actor, user_id, step.actor.origin, how)
    verified = await domains.sessions.tokens.read(issued.token)
    user = await person_of(domains, user_id)
    step.issued = issued
    step.show(user=user, claims=verified.claims)


def _user_of(step: Step) -> UUID:
    if step.stash.user_id is None:
        raise TechnicalError
    return step.stash.user_id


async def _refuse_what_has_changed(step: Step, user_id: UUID) -> None:
    """See, in the transaction that begins the session, that what was shown still opens the account.

    A flow may rest for hours. Meanwhile the password may have been changed (SEC-027), or a second
    factor added that this flow has not shown (SEC-032).

    Raises:
        OperationNotPermitted: It does not any more; who it is may begin anew.
    """
    stash, domains = step.stash, step.domains
    if stash.password_id is not None and not await domains.passwords.still_holds(
        user_id, Verified(stash.password_id)
    ):
        raise OperationNotPermitted
    known = await look_up(domains, user_id)
    if known.account is None or not stash.onboarding_scheduled:
        raise OperationNotPermitted
    stash.trusted_device = await domains.trusted_devices.is_trusted(
        user_id, step.request.device_trust
    )
    if (
        has_second_factor(step.config, known.has)
        and needs_second_factor(step.config, stash)
        and stash.mfa_method is None
        and not stash.enrolled_second_factor
    ):
        raise OperationNotPermitted
