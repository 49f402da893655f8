"""A part of the lattice in which every state and every action is met."""

from functools import cache

from flows.model import walks
from flows.model.explorer import Explorer
from flows.model.people import ADDRESS, KEY, Kind
from flows.model.settings import Values
from flows.model.world import ADA, User

_EVERY = 7
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
RARE: tuple[tuple[Values, Kind], ...] = (
    ({**_MET, **_CHOICE}, Kind(User(ADA, None, (ADDRESS,)))),
    ({**_MET, **_LATER}, Kind(User(ADA, "ada", (), 0, (KEY,)))),
)
"""Settings and users for which a choice is reached that can be skipped, and gone back from."""


@cache
def survey() -> Explorer:
    """Walk it."""
    explorer = walks.shared()
    for number in range(0, len(walks.CONFIGURATIONS), _EVERY):
        walks.walk(explorer, number)
    for values, kind in RARE:
        complete = {**walks.CONFIGURATIONS[0], **values}
        walks.login(explorer, complete, kind)
        walks.registration(explorer, complete)
    return explorer
