"""A part of the lattice in which every state and every action is met."""

from dataclasses import replace

from flows.model import walks
from flows.model.explorer import Explorer
from flows.model.people import ADDRESS, AT_GOOGLE, FULL, KEY, NOBODY, Kind
from flows.model.settings import Values
from flows.model.world import ADA, User

_EVERY = 29
_MET: Values = {
    "mfa.enabled": True,
    "mfa.optional": True,
    "mfa.acquire_on_login": True,
    "mfa.totp.enabled": True,
    "username.enabled": True,
    "username.optional": True,
    "username.acquire_on_login": True,
    "email.enabled": True,
    "email.use_as_login_identifier": True,
    "email.use_for_authentication": True,
    "email.acquire_on_registration": True,
    "email.acquire_on_login": True,
    "email.require_verification": False,
    "password.enabled": True,
    "password.optional": True,
    "passkey.enabled": True,
    "passkey.optional": True,
    "account.allow_signup": True,
}
_CHOICE: Values = {
    "mfa.acquire_on_login": False,
    "passkey.acquire_on_login": "conditional",
    "password.acquire_on_login": "conditional",
    "passkey.acquire_on_registration": "conditional",
    "password.acquire_on_registration": "conditional",
}
_LATER: Values = {"passkey.acquire_on_login": "never", "password.acquire_on_login": "always"}
_BROUGHT: Values = {
    "email.optional": True,
    "email.acquire_on_registration": True,
    "username.acquire_on_registration": True,
    "passkey.limit": 2,
    "mfa.security_keys.enabled": True,
    "mfa.security_keys.limit": 2,
    "mfa.device_trust_policy": "prompt",
    "third_party.providers.google.enabled": True,
    "privacy.show_account_existence_hints": True,
}
_MUST: Values = {"mfa.optional": False, "mfa.acquire_on_registration": True}
_PROVED: Values = {"email.require_verification": True}
BY_PROVIDER: tuple[tuple[Values, Kind], ...] = (
    ({**_MET, **_BROUGHT, **_PROVED}, NOBODY),
    ({**_MET, **_BROUGHT, **_MUST}, NOBODY),
    ({**_MET, **_BROUGHT, **_MUST, "mfa.totp.enabled": False}, NOBODY),
    ({**_MET, **_BROUGHT}, Kind(replace(FULL, username=None, identities=AT_GOOGLE))),
)
"""Settings and users for which whoever comes from a provider meets all there is to meet."""

RARE: tuple[tuple[Values, Kind], ...] = (
    ({**_MET, **_CHOICE}, Kind(User(ADA, None, (ADDRESS,)))),
    ({**_MET, **_LATER}, Kind(User(ADA, "ada", (), 0, (KEY,)))),
)
"""Settings and users for which a choice is reached that can be skipped, and gone back from."""


def survey(explorer: Explorer) -> None:
    """Walk it."""
    for number in range(0, len(walks.CONFIGURATIONS), _EVERY):
        walks.walk(explorer, number)
    for values, kind in RARE:
        complete = {**walks.CONFIGURATIONS[0], **values}
        walks.login(explorer, complete, kind)
        walks.registration(explorer, complete)
    with_google = {**walks.CONFIGURATIONS[0], **_MET, **_BROUGHT}
    walks.profile(explorer, with_google, Kind(User(ADA, None, (ADDRESS,), 1, identities=AT_GOOGLE)))
    walks.profile(explorer, with_google, Kind(User(ADA, None, (ADDRESS,), 1)))
    for values, kind in BY_PROVIDER:
        for attachment in ("cross-platform", "platform"):
            key = {"mfa.security_keys.authenticator_attachment": attachment}
            complete = {**walks.CONFIGURATIONS[0], **values, **key}
            walks.registration(explorer, complete, kind)
            walks.token_exchange(explorer, complete, kind)
