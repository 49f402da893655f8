"""Whose limits, and how many."""

import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.sections import NetworkLimits, PasscodeLimits, RateLimiter
from app.config.values import Duration
from app.ratelimit.rules import NOWHERE, Window, network_of, rules_of, rules_without_store

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_ipv4_counts_by_address_and_ipv6_by_its_64_sec_069(address, network):
    assert network_of(address) == network


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_no_address_of_one_64_counts_apart_sec_069(address, host):
    neighbour = ipaddress.IPv6Address(int(address) >> 64 << 64 | host)
    if address.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert network_of(str(neighbour)) == network_of(str(address))


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_what_is_no_address_counts_as_one_network(text):
    network = network_of(text)
    assert network == NOWHERE or ipaddress.ip_network(network)


@pytest.mark.parametrize("text", ["", "unix:", "192.0.2", "192.0.2.1:80", "[::1]", "localhost"])
def test_these_are_no_addresses(text):
    assert network_of(text) == NOWHERE


def test_the_limits_are_those_that_are_configured():
    rules = rules_of(RateLimiter())
    assert rules["password"].account == (Window(5, MINUTE),)
    assert rules["password"].network == (Window(30, MINUTE),)
    assert rules["token_exchange"].network == (Window(3, MINUTE),)
    own = RateLimiter(passcode_limits=PasscodeLimits(tokens=2, interval=Duration(seconds=90)))
    assert Window(2, timedelta(seconds=90)) in rules_of(own)["passcode"].account


def test_some_limits_hold_whatever_is_configured_sec_042_057_073():
    lenient = {"tokens": 1000, "interval": Duration(seconds=1)}
    config = RateLimiter(
        passcode_limits=PasscodeLimits(**lenient),
        otp_limits=type(RateLimiter().otp_limits)(**lenient),
    )
    rules = rules_of(config)
    assert Window(10, HOUR) in rules["passcode"].account
    assert Window(30, HOUR) in rules["passcode_guess"].account
    assert Window(5, MINUTE) in rules["otp"].account


@pytest.mark.parametrize("operation", ["ceremony", "passkey"])
def test_no_account_has_a_budget_of_passkeys_that_others_could_use_up_sec_072(operation):
    rule = rules_of(RateLimiter(network_limits=NetworkLimits(tokens=7)))[operation]
    assert (rule.account, rule.network) == ((), (Window(7, MINUTE),))


def test_every_operation_on_an_account_is_limited_for_the_network_too_sec_069():
    for rule in rules_of(RateLimiter()).values():
        assert rule.network


def test_without_the_shared_counter_everything_is_stricter_and_nothing_unlimited():
    """SEC-131"""
    rules = rules_of(RateLimiter())
    alone = rules_without_store(rules)
    assert alone.keys() == rules.keys()
    assert alone["password"].account == (Window(2, MINUTE),)
    assert alone["passcode_guess"].account == (Window(15, HOUR),)
    assert Window(1, MINUTE) in alone["passcode"].account
    for operation, rule in alone.items():
        for kind in ("account", "network"):
            spans = {window.span for window in getattr(rules[operation], kind)}
            assert spans <= {window.span for window in getattr(rule, kind)}
            assert all(window.tokens >= 1 for window in getattr(rule, kind))
