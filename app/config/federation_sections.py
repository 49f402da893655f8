"""The settings of signing in elsewhere, and of the requests that the server itself makes."""

from typing import Annotated, Literal

from msgspec import field

from app.config.section import Section, about
from app.config.values import Secret

OWN_CALLBACK = "/{provider}"
"""The end of `third_party.redirect_url` where each provider has a callback of its own."""


def _no_secret() -> Secret:
    return Secret("")


class Outbound(Section, frozen=True):
    """Requests that the server itself makes to others: providers above all."""

    allowed_networks: Annotated[
        list[str],
        about(
            "CIDR ranges inside your network that may be called: providers over plain http too, "
            "webhooks in production over https alone. Everything else must be on the public "
            "internet and https. Development allows this machine."
        ),
    ] = []


class BuiltInProvider(Section, frozen=True):
    """A provider that the product knows."""

    enabled: Annotated[bool, about("Offer this provider.")] = False
    client_id: Annotated[str, about("Client id that the provider has given out.")] = ""
    secret: Annotated[Secret, about("Client secret that the provider has given out.")] = field(
        default_factory=_no_secret
    )
    allow_linking: Annotated[
        bool,
        about("Let an identity join the account that has its address, verified at both places."),
    ] = True
    prompt: Annotated[
        str, about("Parameter `prompt`, such as `select_account`; empty for none.")
    ] = ""
    scopes: Annotated[
        list[str], about("Scopes that are asked for in place of the usual ones; empty for those.")
    ] = []

    @property
    def has_secret(self) -> bool:
        """Say whether the server can prove that it is the client."""
        return bool(self.secret.reveal())


class OidcProvider(BuiltInProvider, frozen=True):
    """A provider that issues ID tokens."""

    native_client_ids: Annotated[
        list[str],
        about("Client ids of your own apps whose ID tokens are taken, beside `client_id`."),
    ] = []


class Apple(OidcProvider, frozen=True):
    """Apple, whose client secret is a token that ends after six months at the latest."""

    team_id: Annotated[str, about("Team id; with it the secret is made here, each time anew.")] = ""
    key_id: Annotated[str, about("Id of the private key.")] = ""
    private_key: Annotated[Secret, about("The private key, the text of the `.p8` file.")] = field(
        default_factory=_no_secret
    )

    @property
    def mints_secret(self) -> bool:
        """Say whether the secret is made here."""
        return bool(self.team_id and self.key_id and self.private_key.reveal())

    @property
    def has_secret(self) -> bool:
        """Say whether there is a secret, or what one is made of."""
        return self.mints_secret or bool(self.secret.reveal())


class Microsoft(OidcProvider, frozen=True):
    """Microsoft, where each organisation is a tenant."""

    tenants: Annotated[
        list[str], about("Ids of the tenants whose people may sign in; empty for all (SEC-078).")
    ] = []


class BuiltInProviders(Section, frozen=True):
    """The providers that the product knows, in the order of sign-in pages."""

    apple: Apple = field(default_factory=Apple)
    discord: BuiltInProvider = field(default_factory=BuiltInProvider)
    github: BuiltInProvider = field(default_factory=BuiltInProvider)
    google: OidcProvider = field(default_factory=OidcProvider)
    linkedin: BuiltInProvider = field(default_factory=BuiltInProvider)
    microsoft: Microsoft = field(default_factory=Microsoft)
    facebook: BuiltInProvider = field(default_factory=BuiltInProvider)

    def by_name(self) -> dict[str, BuiltInProvider]:
        """Give them with their ids."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class CustomProvider(Section, frozen=True):
    """A provider of your own: any that speaks OAuth 2 or OpenID Connect."""

    enabled: Annotated[bool, about("Offer this provider.")] = False
    display_name: Annotated[str, about("What users read.")] = ""
    client_id: Annotated[str, about("Client id that the provider has given out.")] = ""
    secret: Annotated[Secret, about("Client secret that the provider has given out.")] = field(
        default_factory=_no_secret
    )
    scopes: Annotated[
        list[str],
        about(
            "Scopes that are asked for. `openid`, together with discovery or `jwks_uri`, makes it "
            "a provider of OpenID Connect, whose ID tokens are checked."
        ),
    ] = []
    use_discovery: Annotated[
        bool, about("Fetch the endpoints from `<issuer>/.well-known/openid-configuration`.")
    ] = False
    issuer: Annotated[str, about("Issuer, exactly as the provider writes it.")] = ""
    authorization_endpoint: Annotated[str, about("Where browsers are sent to.")] = ""
    token_endpoint: Annotated[str, about("Where codes are exchanged.")] = ""
    userinfo_endpoint: Annotated[str, about("Where the user's data are.")] = ""
    jwks_uri: Annotated[
        str,
        about("Where its keys are, without discovery; with `issuer` its ID tokens are checked."),
    ] = ""
    allow_linking: Annotated[
        bool,
        about("Let an identity join the account that has its address, verified at both places."),
    ] = False
    attribute_mapping: Annotated[
        dict[str, str],
        about("Our claim by the provider's, with a dotted path into objects: `sub: user.id`."),
    ] = field(default_factory=dict)
    email_verified: Annotated[
        Literal["claim", "always", "never"],
        about(
            "Whether the provider vouches for addresses: as its claim says, `always` where it "
            "gives out no other ones, or `never`."
        ),
    ] = "claim"
    token_endpoint_auth_method: Annotated[
        Literal["client_secret_basic", "client_secret_post"],
        about("How the client secret is shown."),
    ] = "client_secret_basic"  # noqa: S105  # a way, no secret
    pkce: Annotated[
        bool, about("Send PKCE; switch it off only for a provider that refuses it (SEC-075).")
    ] = True
    native_client_ids: Annotated[
        list[str],
        about("Client ids of your own apps whose ID tokens are taken, beside `client_id`."),
    ] = []
    acr_values: Annotated[
        list[str], about("Parameter `acr_values`: the kinds of sign-in that are asked for.")
    ] = []
    prompt: Annotated[str, about("Parameter `prompt`; empty for none.")] = ""

    @property
    def is_oidc(self) -> bool:
        """Say whether ID tokens are to be had, and keys to check them with."""
        return "openid" in self.scopes and (self.use_discovery or bool(self.jwks_uri))


class ThirdParty(Section, frozen=True):
    """Signing in at providers by OAuth and OpenID Connect."""

    redirect_url: Annotated[
        str,
        about(
            "Callback for providers: the public URL and `/thirdparty/callback`. With `/{provider}` "
            "after it each provider has a callback of its own, which takes no other's answers."
        ),
    ] = ""
    error_redirect_url: Annotated[
        str, about("Where browsers are sent with `error` and `error_description`; always allowed.")
    ] = ""
    default_redirect_url: Annotated[
        str,
        about(
            "Where browsers are sent where no target was asked for; it has to be allowed. "
            "`error_redirect_url` without one."
        ),
    ] = ""
    allowed_redirect_urls: Annotated[
        list[str],
        about(
            "Targets after a sign-in: URLs in which `*` stands for anything but `.` and `/`, and "
            "`**` for anything within the path."
        ),
    ] = []
    providers: BuiltInProviders = field(default_factory=BuiltInProviders)
    custom_providers: Annotated[
        dict[str, CustomProvider],
        about("Providers of your own by a key; the id is `custom_` and the key in lower case."),
    ] = field(default_factory=dict)

    @property
    def has_own_callbacks(self) -> bool:
        """Say whether each provider has a callback of its own."""
        return self.redirect_url.endswith(OWN_CALLBACK)

    def callback_of(self, provider_id: str) -> str:
        """Give the callback of a provider."""
        if not self.has_own_callbacks:
            return self.redirect_url
        return self.redirect_url.removesuffix(OWN_CALLBACK) + f"/{provider_id}"

    def enabled_providers(self) -> list[str]:
        """Give the ids of the providers that are on: built-in ones, then own ones by their name."""
        built_in = [name for name, one in self.providers.by_name().items() if one.enabled]
        own = [
            (one.display_name.casefold(), n)
            for n, one in self.custom_by_id().items()
            if one.enabled
        ]
        return built_in + [name for _, name in sorted(own)]

    def custom_by_id(self) -> dict[str, CustomProvider]:
        """Give the providers of one's own with their ids."""
        return {f"custom_{key.lower()}": one for key, one in self.custom_providers.items()}
