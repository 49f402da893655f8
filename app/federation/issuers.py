"""What a provider calls itself: in ID tokens, and beside a code (SEC-077, SEC-078, SEC-079)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from app.federation.answers import Claims
from app.federation.errors import IssuerMismatch, UserDataUnusable

TENANT = "{tenantid}"
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Issuers(Protocol):
    """The issuers that a provider may name."""

    def accept(self, issuer: str) -> bool:
        """Say whether an issuer can be the provider's."""

    def of(self, claims: Claims) -> str:
        """Give the one issuer that a token with these claims must name.

        Raises:
            UserDataUnusable: There is none.
        """


@dataclass(frozen=True, slots=True)
class OneIssuer:
    """A provider with one name; an empty one is unknown, and nothing fits it."""

    name: str

    def accept(self, issuer: str) -> bool:
        """Say whether it is the name."""
        return issuer == self.name != ""

    def of(self, _claims: Claims) -> str:
        """Give the name."""
        return self.name


@dataclass(frozen=True, slots=True)
class TenantIssuers:
    """A provider where each tenant is an issuer of its own.

    Attributes:
        template: The name, with `{tenantid}` for the tenant.
        tenants: The tenants that count, in lower case; none for all.
    """

    template: str
    tenants: Collection[str]

    def accept(self, issuer: str) -> bool:
        """Say whether it is the name of a tenant that counts."""
        before, _, after = self.template.partition(TENANT)
        tenant = issuer.removeprefix(before).removesuffix(after)
        return self._counts(tenant) and issuer == self.template.replace(TENANT, tenant)

    def of(self, claims: Claims) -> str:
        """Give the name of the token's own tenant, if that counts."""
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not self._counts(tenant):
            raise UserDataUnusable
        return self.template.replace(TENANT, tenant)

    def _counts(self, tenant: str) -> bool:
        is_id = _TENANT_ID.fullmatch(tenant) is not None
        return is_id and (not self.tenants or tenant in self.tenants)


def check_issuer(given: str | None, issuers: Issuers, *, required: bool = False) -> None:
    """Check the parameter `iss` of an answer (RFC 9207).

    Raises:
        IssuerMismatch: It names another provider, or is missing where it has to be.
    """
    if required if given is None else not issuers.accept(given):
        raise IssuerMismatch
