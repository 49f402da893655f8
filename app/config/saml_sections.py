"""The settings of SAML."""

from typing import Annotated

from msgspec import field

from app.config.section import Section, about


class SamlOptions(Section, frozen=True):
    """How requests are made, and what responses may lack."""

    sign_authn_requests: Annotated[
        bool,
        about(
            "Sign requests. They are signed for a provider whose metadata ask for it, whatever "
            "stands here.",
            env="SAML_OPTIONS_SIGNAUTHNREQUESTS",
        ),
    ] = False
    force_login: Annotated[
        bool,
        about(
            "Have people sign in at the provider anew although they are signed in there.",
            env="SAML_OPTIONS_FORCELOGIN",
        ),
    ] = False
    validate_encryption_cert: Annotated[
        bool,
        about(
            "Read for the sake of older files: an own certificate that has ended is never used.",
            env="SAML_OPTIONS_VALIDATEENCRYPTIONCERTIFICATE",
        ),
    ] = False
    skip_signature_validation: Annotated[
        bool,
        about(
            "Believe responses that nobody has signed. Refused in production (SEC-085).",
            env="SAML_OPTIONS_SKIPSIGNATUREVALIDATION",
        ),
    ] = False
    allow_missing_attributes: Annotated[
        bool,
        about(
            "Take assertions that hold no attributes at all.",
            env="SAML_OPTIONS_ALLOWMISSINGATTRIBUTES",
        ),
    ] = False


class AttributeMap(Section, frozen=True):
    """The names under which a provider sends what is known of a person; empty for the usual one."""

    name: str = ""
    family_name: str = ""
    given_name: str = ""
    middle_name: str = ""
    nickname: str = ""
    preferred_username: str = ""
    profile: str = ""
    picture: str = ""
    website: str = ""
    gender: str = ""
    birthdate: str = ""
    zone_info: str = ""
    locale: str = ""
    updated_at: str = ""
    email: str = ""
    email_verified: str = ""
    phone: str = ""
    phone_verified: str = ""


class IdentityProvider(Section, frozen=True):
    """An identity provider, and whose addresses are its own.

    Attributes:
        enabled: Whether it is used.
        name: What users and operators read.
        domain: The domain of its addresses.
        domains: Further ones.
        metadata_url: Where its metadata are fetched from.
        metadata_file: A file with its metadata, in place of a URL.
        metadata: The text of its metadata, in place of either.
        entity_id: Which provider is meant, where metadata hold several; another one is refused.
        skip_email_verification: Whether its addresses count as verified without its saying so.
        allow_idp_initiated: Whether sign-ins may begin there. Nothing then binds a response to the
            browser that brings it, so that somebody can be signed in to another's account
            unawares (SEC-090).
        attribute_map: What it calls things.
    """

    enabled: bool = False
    name: str = ""
    domain: str = ""
    domains: list[str] = []
    metadata_url: str = ""
    metadata_file: str = ""
    metadata: str = ""
    entity_id: str = ""
    skip_email_verification: bool = False
    allow_idp_initiated: bool = False
    attribute_map: AttributeMap = field(default_factory=AttributeMap)

    @property
    def all_domains(self) -> list[str]:
        """Give the domains in lower case, each once."""
        given = [self.domain, *self.domains]
        return list(dict.fromkeys(one.strip().lower() for one in given if one.strip()))

    @property
    def sources(self) -> list[str]:
        """Give the ways to its metadata that are set."""
        return [one for one in (self.metadata_url, self.metadata_file, self.metadata) if one]


class Saml(Section, frozen=True):
    """Signing in at the identity providers of companies by SAML 2.0."""

    enabled: Annotated[
        bool, about("Offer SAML; it needs the packages of the extra `sekisho[saml]`.")
    ] = False
    endpoint_url: Annotated[
        str,
        about(
            "Public base URL of `/saml/callback` and `/saml/metadata`; our entity id as well.",
            env="SAML_ENDPOINT",
        ),
    ] = ""
    audience_uri: Annotated[
        str, about("Audience that every assertion has to name.", env="SAML_AUDIENCEURI")
    ] = ""
    default_redirect_url: Annotated[
        str,
        about(
            "Where browsers are sent with errors, and where no target was asked for; always "
            "allowed.",
            env="SAML_DEFAULTREDIRECTURL",
        ),
    ] = ""
    allowed_redirect_urls: Annotated[
        list[str],
        about("Targets after a sign-in, written as those of `third_party.allowed_redirect_urls`."),
    ] = []
    options: SamlOptions = field(default_factory=SamlOptions)
    identity_providers: Annotated[
        list[IdentityProvider],
        about(
            "The identity providers, each with `name`, `domain`, and `metadata_url` or "
            "`metadata_file`; `docs/saml.md` lists the rest. In the variable JSON objects with `;` "
            "between them."
        ),
    ] = []

    @property
    def entity_id(self) -> str:
        """Give what providers know us as."""
        return self.endpoint_url.removesuffix("/")

    @property
    def acs_url(self) -> str:
        """Give where responses come to."""
        return f"{self.entity_id}/saml/callback"

    def enabled_providers(self) -> list[IdentityProvider]:
        """Give the providers that are on; none where SAML is off."""
        return [one for one in self.identity_providers if one.enabled] if self.enabled else []
