"""Why a sign-in by SAML is refused."""

from app.errors import Forbidden, IdentityError, NotFound
from app.federation.errors import InvalidRequest


class SamlOff(Forbidden):
    """SAML is not configured; Hanko's words, of which published clients may know."""

    message = "SAML is not enabled for this tenant."


class SamlDomainUnknown(NotFound):
    """No enabled identity provider has the domain."""

    message = "There is no identity provider of this domain."


class SamlProviderUnknown(InvalidRequest):
    """No enabled identity provider has the domain (SEC-092)."""

    message = "There is no identity provider of this domain."
    description = "provider not found"


class ResponseUnreadable(InvalidRequest):
    """What came is no SAML response that the one parser takes (SEC-087)."""

    message = "The answer is no SAML response."
    description = "could not parse saml response"


class ResponseUnsigned(InvalidRequest):
    """Nothing that could be used bears a signature of the provider (SEC-085, SEC-086, SEC-088).

    What cannot be decrypted is refused in the same words.
    """

    message = "The SAML response is not signed by the provider."
    description = "could not verify saml response"


class IssuerMissing(InvalidRequest):
    """The response does not say whose it is."""

    message = "The SAML response names no issuer."
    description = "invalid saml response: no issuer node present"


class IssuerUnknown(InvalidRequest):
    """No enabled identity provider has this entity id (SEC-092)."""

    message = "There is no identity provider of this entity id."
    description = "could not get provider for issuer"


class ResponseRefused(InvalidRequest):
    """The provider's answer is authentic, and no sign-in of this deployment (SEC-089, SEC-090)."""

    message = "The SAML response is not for this sign-in."
    description = "could not validate saml response"


class SignInFailedThere(InvalidRequest):
    """The provider itself says that nobody has signed in."""

    message = "Nobody has signed in at the identity provider."
    description = "the saml response does not report a success"


class NotUnsolicited(InvalidRequest):
    """The response answers a request, and comes without the sign-in that made it (SEC-090)."""

    message = "The SAML response answers a request of another sign-in."
    description = "saml request is not unsolicited"


class UnsolicitedRefused(InvalidRequest):
    """The provider is not allowed to begin sign-ins (SEC-090)."""

    message = "The identity provider may not begin a sign-in."
    description = "unsolicited saml responses are not allowed"


class ResponseReplayed(InvalidRequest):
    """The response or its assertion was brought before (SEC-091)."""

    message = "The SAML response was brought before."
    description = "attempting to replay a saml response"


class SamlMetadataRefused(IdentityError):
    """The metadata of an identity provider cannot be used; the message says whose, and why."""

    code = "saml_metadata_refused"
    message = "The metadata of an identity provider cannot be used."
