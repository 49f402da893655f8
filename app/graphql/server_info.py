"""What a sign-in page needs to know before anybody has signed in."""

from collections.abc import Iterator
from enum import Enum

import strawberry

from app.config import Config
from app.graphql.context import Info
from app.graphql.errors import MetadataBag
from app.graphql.flow_types import Provider
from app.metadata.changes import Bag


@strawberry.type(description="The most a bag may hold, measured on its compact JSON.")
class MetadataLimit:
    """A cap."""

    bag: MetadataBag = strawberry.field(description="Which bag.")
    max: int = strawberry.field(description="The most it may hold.")
    unit: str = strawberry.field(description="`characters` (Unicode code points) or `bytes`.")


@strawberry.enum(description="A way to sign in.")
class SignInMethod(Enum):
    """A first factor."""

    PASSKEY = strawberry.enum_value("passkey", description="A passkey.")
    PASSWORD = strawberry.enum_value("password", description="A password.")
    PASSCODE = strawberry.enum_value("passcode", description="A code that is mailed.")
    PROVIDER = strawberry.enum_value(
        "provider",
        description="An identity at one of `providers`, or at the SAML provider of an address's "
        "domain.",
    )


@strawberry.enum(description="What says who signs in.")
class LoginIdentifier(Enum):
    """An identifier."""

    EMAIL = strawberry.enum_value("email", description="An e-mail address.")
    USERNAME = strawberry.enum_value("username", description="A user name.")


@strawberry.enum(description="What can be asked for beside the way to sign in.")
class SecondFactor(Enum):
    """A second factor."""

    TOTP = strawberry.enum_value("totp", description="A code of an authenticator app.")
    SECURITY_KEY = strawberry.enum_value("security_key", description="A security key.")


@strawberry.type(description="What a password must be like.")
class PasswordRules:
    """The rules for passwords."""

    min_length: int = strawberry.field(description="Fewest characters.")
    is_recoverable: bool = strawberry.field(
        description="Whether a forgotten one can be replaced by e-mail."
    )


@strawberry.type(description="What this server is and allows.")
class ServerInfo:
    """The server."""

    name: str = strawberry.field(description="What the deployment calls itself.")
    methods: list[SignInMethod] = strawberry.field(description="The ways to sign in.")
    identifiers: list[LoginIdentifier] = strawberry.field(description="What says who signs in.")
    second_factors: list[SecondFactor] = strawberry.field(
        description="The second factors; none where none is ever asked for."
    )
    allows_sign_up: bool = strawberry.field(description="Whether new users may register.")
    password: PasswordRules | None = strawberry.field(
        description="What a password must be like; null where there are none."
    )
    passkey_limit: int = strawberry.field(description="Passkeys a user may have.")
    security_key_limit: int = strawberry.field(description="Security keys a user may have.")
    email_limit: int = strawberry.field(description="Addresses a user may have.")
    email_max_length: int = strawberry.field(description="Longest address, in characters.")
    username_min_length: int = strawberry.field(description="Shortest user name.")
    username_max_length: int = strawberry.field(description="Longest user name.")
    providers: list[Provider] = strawberry.field(
        description="The providers that one can sign in with, in the order to show them."
    )
    metadata_limits: list[MetadataLimit] = strawberry.field(description="The caps of the bags.")


@strawberry.type
class ServerQueries:
    """Questions about the server."""

    @strawberry.field(
        description="What a sign-in page needs to know: methods, identifiers, providers, limits."
    )
    def server(self, info: Info) -> ServerInfo:
        """Describe the server; the private bag's cap is nobody's secret, its content is."""
        config, federation = info.context.services.config, info.context.services.federation
        providers = federation.providers()
        caps = config.user_metadata.caps()
        limits = [(bag, getattr(caps, bag.value)) for bag in Bag]
        return ServerInfo(
            name=config.service.name,
            methods=list(_methods(config, has_providers=bool(providers))),
            identifiers=list(_identifiers(config)),
            second_factors=list(_second_factors(config)),
            allows_sign_up=config.account.allow_signup,
            password=_password(config),
            passkey_limit=config.passkey.limit,
            security_key_limit=config.mfa.security_keys.limit,
            email_limit=config.email.limit,
            email_max_length=config.email.max_length,
            username_min_length=config.username.min_length,
            username_max_length=config.username.max_length,
            providers=[
                Provider(id=strawberry.ID(one.id), name=one.display_name) for one in providers
            ],
            metadata_limits=[
                MetadataLimit(bag=MetadataBag[bag.name], max=limit.max, unit=limit.unit)
                for bag, limit in limits
            ],
        )


def _identifiers(config: Config) -> Iterator[LoginIdentifier]:
    if config.email.enabled and config.email.use_as_login_identifier:
        yield LoginIdentifier.EMAIL
    if config.username.enabled and config.username.use_as_login_identifier:
        yield LoginIdentifier.USERNAME


def _methods(config: Config, *, has_providers: bool) -> Iterator[SignInMethod]:
    """Give the ways in, as the first page of the login flow offers them."""
    is_named = any(_identifiers(config))
    if config.passkey.enabled:
        yield SignInMethod.PASSKEY
    if is_named and config.password.enabled:
        yield SignInMethod.PASSWORD
    if is_named and config.email.enabled and config.email.use_for_authentication:
        yield SignInMethod.PASSCODE
    if has_providers or config.saml.enabled:
        yield SignInMethod.PROVIDER


def _second_factors(config: Config) -> Iterator[SecondFactor]:
    if config.mfa.enabled and config.mfa.totp.enabled:
        yield SecondFactor.TOTP
    if config.mfa.enabled and config.mfa.security_keys.enabled:
        yield SecondFactor.SECURITY_KEY


def _password(config: Config) -> PasswordRules | None:
    rules = config.password
    if not rules.enabled:
        return None
    return PasswordRules(
        min_length=rules.min_length, is_recoverable=rules.recovery and config.email.enabled
    )
