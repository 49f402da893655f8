"""Which limits hold for what, and whose they are. Pure.

An account and a client's network are counted apart (SEC-069): many networks against one account do
not pass the limit, and neither does one network against many accounts.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from app.config import sections

Operation = Literal[
    "passcode", "passcode_guess", "password", "otp", "token_exchange", "ceremony", "passkey", "flow"
]
"""`passcode` is to mail a code, `passcode_guess` to enter one; `otp` is any second-factor code.

`ceremony` is to ask for the options of WebAuthn, and `passkey` to show what an authenticator made
of them; `flow` is to begin one. These are a network's alone: no stranger can use up what an account
has (SEC-072).
"""

NOWHERE = "unknown"
_IPV6_NETWORK = 64
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """At most so many within any span of this length."""

    tokens: int
    span: timedelta

    def halved(self) -> "Window":
        """Give the window that holds while the shared counter is away (SEC-131)."""
        return Window(max(1, self.tokens // 2), self.span)


MAILED_PER_HOUR = Window(10, _HOUR)
MAILED_WITHOUT_STORE = Window(1, _MINUTE)
GUESSES_PER_HOUR = Window(30, _HOUR)
SECOND_FACTORS_PER_MINUTE = Window(5, _MINUTE)


@dataclass(frozen=True, slots=True)
class Rule:
    """The windows of an account and those of a network."""

    account: tuple[Window, ...] = ()
    network: tuple[Window, ...] = ()

    def halved(self) -> "Rule":
        """Give the stricter rule for while the shared counter is away."""
        return Rule(
            tuple(window.halved() for window in self.account),
            tuple(window.halved() for window in self.network),
        )


def rules_of(config: sections.RateLimiter) -> Mapping[Operation, Rule]:
    """Give the rule of each operation."""
    passcode, password = _window(config.passcode_limits), _window(config.password_limits)
    otp, exchange = _window(config.otp_limits), _window(config.token_limits)
    network = (_window(config.network_limits),)
    mail = (_window(config.mail_network_limits),)
    return {
        "passcode": Rule((passcode, MAILED_PER_HOUR), mail),  # SEC-073
        "passcode_guess": Rule((GUESSES_PER_HOUR,), network),  # SEC-042
        "password": Rule((password,), network),
        "otp": Rule((otp, SECOND_FACTORS_PER_MINUTE), network),  # SEC-057
        "token_exchange": Rule(network=(exchange,)),
        "ceremony": Rule(network=network),  # SEC-126
        "passkey": Rule(network=network),  # SEC-069
        "flow": Rule(network=(_window(config.flow_limits),)),  # SEC-126
    }


def rules_without_store(rules: Mapping[Operation, Rule]) -> Mapping[Operation, Rule]:
    """Give the rules that a process holds to by itself while the shared counter is away (SEC-131).

    Guessing goes on at one half of the limit. Mail is closed beyond one a minute to an address.
    """
    halved = {operation: rule.halved() for operation, rule in rules.items()}
    mailing = halved["passcode"]
    stricter = Rule((MAILED_WITHOUT_STORE, *mailing.account), mailing.network)
    return {**halved, "passcode": stricter}


def network_of(address: str) -> str:
    """Give the network that a client's address counts as: IPv4 as it is, IPv6 by its /64.

    What is no address counts as one network of its own, so that nothing goes uncounted.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NOWHERE
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))


def _window(limit: sections.Limit) -> Window:
    return Window(limit.tokens, limit.interval)
