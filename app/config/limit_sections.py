"""The settings of rate limits, and of Redis."""

from typing import Annotated, Literal

from msgspec import Meta, field

from app.config.section import Section, about
from app.config.values import Duration, Secret


class RedisConfig(Section, frozen=True):
    """Where Redis is."""

    address: Annotated[
        str,
        about(
            "`host[:port][/database]`, or a URL that begins with `redis://`, or with `rediss://` "
            "for TLS, and may name a user.",
            env="RATE_LIMITER_REDIS_ADDRESS",
        ),
    ] = ""
    password: Annotated[Secret, about("Password.", env="RATE_LIMITER_REDIS_PASSWORD")] = field(
        default_factory=lambda: Secret("")
    )

    @property
    def url(self) -> str:
        """Give the address as a URL."""
        return self.address if "://" in self.address else f"redis://{self.address}"


def _tokens(text: str) -> Meta:
    return about(text, ge=1, le=1000)


class Limit(Section, frozen=True):
    """How many within any span of a length."""

    tokens: Annotated[int, _tokens("How many.")] = 3
    interval: Annotated[Duration, about("Within any span of this length.")] = field(
        default_factory=lambda: Duration(minutes=1)
    )


class PasscodeLimits(Limit, frozen=True):
    """Passcodes that are mailed."""

    tokens: Annotated[int, _tokens("Passcodes mailed to one address; never above 10 an hour.")] = 3


class PasswordLimits(Limit, frozen=True):
    """Passwords that are tried."""

    tokens: Annotated[int, _tokens("Passwords tried on one account.")] = 5


class OtpLimits(Limit, frozen=True):
    """Second-factor codes that are tried."""

    tokens: Annotated[
        int, _tokens("Second-factor codes tried on one account; never above 5 a minute.")
    ] = 3


class TokenLimits(Limit, frozen=True):
    """Tokens that are exchanged."""

    tokens: Annotated[int, _tokens("Tokens exchanged from one network.")] = 3


class NetworkLimits(Limit, frozen=True):
    """What one network may try."""

    tokens: Annotated[
        int,
        _tokens(
            "Passwords, passcodes, second-factor codes and passkeys, each, tried from one network: "
            "an IPv4 address, or the /64 of an IPv6 address."
        ),
    ] = 30


class MailNetworkLimits(Limit, frozen=True):
    """What one network may have mailed."""

    tokens: Annotated[int, _tokens("Passcodes mailed at the wish of one network.")] = 100
    interval: Annotated[Duration, about("Within any span of this length.")] = field(
        default_factory=lambda: Duration(hours=1)
    )


class FlowLimits(Limit, frozen=True):
    """Flows that are begun."""

    tokens: Annotated[int, _tokens("Flows begun from one network.")] = 100


class RateLimiter(Section, frozen=True):
    """How often credentials may be tried, and codes mailed."""

    enabled: Annotated[
        bool, about("Limit at all; what a single code allows stays limited without it.")
    ] = True
    store: Annotated[
        Literal["in_memory", "redis"],
        about("Where it is counted: in each process, or in Redis for all replicas together."),
    ] = "in_memory"
    redis_config: RedisConfig = field(default_factory=RedisConfig)
    passcode_limits: PasscodeLimits = field(default_factory=PasscodeLimits)
    password_limits: PasswordLimits = field(default_factory=PasswordLimits)
    otp_limits: OtpLimits = field(default_factory=OtpLimits)
    token_limits: TokenLimits = field(default_factory=TokenLimits)
    network_limits: NetworkLimits = field(default_factory=NetworkLimits)
    mail_network_limits: MailNetworkLimits = field(default_factory=MailNetworkLimits)
    flow_limits: FlowLimits = field(default_factory=FlowLimits)
