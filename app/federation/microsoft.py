"""Microsoft: an issuer for each tenant, and addresses that anybody may have typed (SEC-078)."""

from dataclasses import replace

from app.federation.answers import Claims
from app.federation.attributes import email_of, is_true
from app.federation.discovery import Metadata

SCOPES = ("openid", "profile", "email")
_COMMON = "https://login.microsoftonline.com/common"
METADATA = Metadata(
    issuer="https://login.microsoftonline.com/{tenantid}/v2.0",
    authorization_endpoint=f"{_COMMON}/oauth2/v2.0/authorize",
    token_endpoint=f"{_COMMON}/oauth2/v2.0/token",
    jwks_uri=f"{_COMMON}/discovery/v2.0/keys",
)


def metadata_for(tenants: list[str], common: Metadata) -> Metadata:
    """Give the endpoints of the only tenant there is, or those for all."""
    if len(tenants) != 1:
        return common
    own = f"/{tenants[0].lower()}/"
    return replace(
        common,
        authorization_endpoint=common.authorization_endpoint.replace("/common/", own),
        token_endpoint=common.token_endpoint.replace("/common/", own),
        jwks_uri=common.jwks_uri.replace("/common/", own),
    )


def reshape(claims: Claims) -> Claims:
    """Say that an address is verified only where Microsoft says that its domain's owner is.

    An administrator of any tenant may write any address into `email`; `xms_edov` tells whether the
    tenant owns the domain, and without it nothing is known. `upn` is a name, never a proof.
    """
    email = email_of(claims.get("email"))
    verified = email is not None and is_true(claims.get("xms_edov"))
    kept = {name: value for name, value in claims.items() if name not in ("upn", "xms_edov")}
    found = email or email_of(claims.get("upn"))
    return kept | {"email": found, "email_verified": verified}
