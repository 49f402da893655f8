"""What a provider's claims say for a profile. Pure."""

from collections.abc import Mapping
from typing import Any

from app.config.sections import Username
from app.strictjson import Json
from app.users import Account, PictureInvalid, ProfileChanges
from app.users.errors import TextInvalid

_FIELDS = ("name", "given_name", "family_name", "picture", "locale")


def profile_of(claims: Mapping[str, Json], rules: Username) -> dict[str, Any]:
    """Give the fields that a profile can take; a claim that breaks its rule is left out."""
    found: dict[str, Any] = {}
    for name in _FIELDS:
        value = claims.get(name)
        if isinstance(value, str) and _fits(name, value, rules):
            found[name] = value
    return found


def missing_in(account: Account, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that the account has empty; what is there is its user's own (W-22)."""
    return {name: value for name, value in profile.items() if not getattr(account, name)}


def _fits(name: str, value: str, rules: Username) -> bool:
    change: dict[str, Any] = {name: value}
    try:
        ProfileChanges(**change).checked(rules)
    except (TextInvalid, PictureInvalid):
        return False
    return True
