"""Whatever users have, and whatever is configured, nobody shuts themself out."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.sections import Config
from app.credentials.passkey_values import Passkey
from app.selfservice.holdings import (
    Holdings,
    is_open,
    may_delete_email,
    may_delete_passkey,
    may_delete_password,
    may_delete_security_key,
    may_delete_totp,
    may_delete_username,
    may_disconnect,
)
from app.users import Account, Email

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FLAGS = {
    "email": ("enabled", "optional", "use_as_login_identifier", "use_for_authentication",
              "require_verification"),
    "username": ("enabled", "optional", "use_as_login_identifier"),
    "password": ("enabled", "optional"),
    "passkey": ("enabled", "optional"),
    "mfa": ("enabled", "optional"),
}  # fmt: skip


@st.composite
def configs(draw):
    config = Config()
    for section, names in FLAGS.items():
        chosen = {name: draw(st.booleans()) for name in names}
        part = msgspec.structs.replace(getattr(config, section), **chosen)
        config = msgspec.structs.replace(config, **{section: part})
    return config


def email(*, primary, verified):
    return Email(uuid4(), uuid4(), f"{uuid4()}@example.com", primary, verified, NOW, NOW)


def passkey(*, mfa_only):
    return Passkey(
        uuid4(), uuid4(), str(uuid4()), b"", 0, uuid4(), "none", (), False, False, mfa_only,  # noqa: FBT003
        None, NOW, None,
    )  # fmt: skip


@st.composite
def held(draw):
    verified = draw(st.lists(st.booleans(), max_size=3))
    emails = [email(primary=n == 0, verified=v) for n, v in enumerate(verified)]
    keys = [passkey(mfa_only=one) for one in draw(st.lists(st.booleans(), max_size=3))]
    username = draw(st.sampled_from([None, "ada"]))
    account = Account(uuid4(), username, None, None, None, None, None, NOW, NOW, None)
    has_password, has_totp = draw(st.booleans()), draw(st.booleans())
    identities = draw(st.sampled_from([0, 0, 1, 2]))
    return Holdings(account, emails, keys, has_password, has_totp, identities)


def without_name(mine):
    return replace(mine, account=replace(mine.account, username=None))


@given(configs(), held())
def test_whatever_may_go_leaves_a_way_in(config, mine):
    """SEC-037."""
    if may_delete_password(config, mine):
        assert mine.has_password
        assert is_open(config, replace(mine, has_password=False))
    if may_delete_username(config, mine):
        assert is_open(config, without_name(mine))
    for one in mine.emails:
        if may_delete_email(config, mine, one):
            assert is_open(config, replace(mine, emails=[e for e in mine.emails if e != one]))
    for one in mine.passkeys:
        if may_delete_passkey(config, mine, one) and not one.is_mfa_only:
            rest = [key for key in mine.passkeys if key != one]
            assert is_open(config, replace(mine, passkeys=rest))
    for identities in range(mine.identities + 1):
        if may_disconnect(config, mine, identities=identities):
            assert is_open(config, replace(mine, identities=mine.identities - identities))


def test_one_identity_of_a_provider_that_is_on_is_a_way_in():
    """SEC-037."""
    account = Account(uuid4(), None, None, None, None, None, None, NOW, NOW, None)
    one = Holdings(account, [], [], has_password=False, has_totp=False, identities=1)
    assert is_open(Config(), one)
    assert not may_disconnect(Config(), one, identities=1)
    assert may_disconnect(Config(), replace(one, identities=2), identities=1)
    assert not is_open(Config(), replace(one, identities=0))


@given(configs(), held())
def test_an_account_stays_addressed(config, mine):
    """An account has an address or a name, and a primary address while it has any."""
    if may_delete_username(config, mine):
        assert mine.emails
    for one in mine.emails:
        if may_delete_email(config, mine, one):
            rest = [e for e in mine.emails if e != one]
            assert any(e.is_primary for e in rest) or (not rest and mine.account.username)


@given(configs(), held())
def test_who_must_have_a_second_factor_keeps_one(config, mine):
    must = config.mfa.enabled and not config.mfa.optional
    keys = mine.count(mfa_only=True)
    if must and may_delete_security_key(config, mine):
        assert keys > 1 or mine.has_totp
    if must and may_delete_totp(config, mine):
        assert keys > 0


@pytest.mark.parametrize("mfa_only", [True, False])
def test_a_second_factor_is_no_way_in(mfa_only):
    """SEC-037."""
    account = Account(uuid4(), "ada", None, None, None, None, None, NOW, NOW, None)
    mine = Holdings(account, [], [passkey(mfa_only=mfa_only)], has_password=False, has_totp=True)
    assert is_open(Config(), mine) is not mfa_only
