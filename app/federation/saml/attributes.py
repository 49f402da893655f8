"""What an assertion's attributes mean: the map of federation.md §6.6. Pure.

The names on the left are settings, those on the right what a provider calls things. What the map
does not name is kept as a claim of the provider's own, a list where there are several values.
"""

from collections.abc import Mapping, Sequence

from app.config.saml_sections import AttributeMap
from app.federation.answers import Claims

Attributes = Mapping[str, Sequence[str]]
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_AUTH0 = "http://schemas.auth0.com/"
DEFAULTS = {
    "name": f"{_CLAIMS}name",
    "given_name": f"{_CLAIMS}givenname",
    "family_name": f"{_CLAIMS}surname",
    "email": f"{_CLAIMS}emailaddress",
}
_OF_AUTH0 = ("email_verified", "nickname", "picture", "updated_at")
_RENAMED = {"zone_info": "zoneinfo"}
_FLAGS = ("email_verified", "phone_verified")
_OURS = frozenset(
    {
        *("iss", "sub", "email", "email_verified", "name", "family_name", "given_name"),
        *("middle_name", "nickname", "preferred_username", "profile", "picture", "website"),
        *("gender", "birthdate", "zoneinfo", "zone_info", "locale", "updated_at", "address"),
        *("phone", "phone_verified", "phone_number", "phone_number_verified"),
    }
)
"""Names that mean something here: an attribute has to be mapped to get one."""


def names_of(own: AttributeMap, provider_name: str) -> dict[str, str]:
    """Give the attribute of each of our names: the provider's own map over the defaults."""
    defaults = dict(DEFAULTS)
    if "auth0" in provider_name.lower():
        defaults |= {name: f"{_AUTH0}{name}" for name in _OF_AUTH0}
    given = {name: getattr(own, name) for name in own.__struct_fields__}
    return {name: given[name] or defaults.get(name, "") for name in given}


def claims_of(attributes: Attributes, names: Mapping[str, str], *, vouches: bool) -> Claims:
    """Give the claims that attributes make.

    Args:
        attributes: The values of each attribute, by its name.
        names: The attribute of each of our names, empty for none.
        vouches: Whether the provider is trusted to give out nobody else's addresses.
    """
    found: Claims = {}
    for ours, theirs in names.items():
        values = attributes.get(theirs, ()) if theirs else ()
        if ours in _FLAGS:
            found[ours] = values[:1] == ["true"]
        elif values:
            found[_RENAMED.get(ours, ours)] = values[0]
    found["email_verified"] |= vouches
    if not found["phone_verified"]:
        del found["phone_verified"]
    mapped = set(names.values())
    for name, values in attributes.items():
        if name not in mapped and name not in _OURS and values:
            found[name] = list(values) if len(values) > 1 else values[0]
    return found
