"""What follows a first factor: the tables of §3.8 and §2.2, row by row."""

import itertools

import msgspec
import pytest
from flows.conftest import changed

from app.config import Config
from app.flows.scheduling import (
    credential_onboarding,
    credential_registration,
    has_second_factor,
    needs_second_factor,
    second_factor,
)
from app.flows.stash import Has, Stash

PLAIN = Config()
P, W, C = "onboarding_create_passkey", "password_creation", "credential_onboarding_chooser"
ACQUIRE = ("always", "conditional", "never")


def names(states):
    return [state.name for state in states]


def config(**changes):
    return changed(PLAIN, changes)


ONBOARDING = {
    ("always", "always"): ([W, P], [W], [P], []),
    ("always", "conditional"): ([P], [], [P], []),
    ("conditional", "always"): ([W], [W], [], []),
    ("conditional", "conditional"): ([C], [], [], []),
    ("conditional", "never"): ([P], [], [], []),
    ("never", "conditional"): ([W], [], [], []),
    ("never", "always"): ([W], [W], [], []),
    ("always", "never"): ([P], [], [P], []),
    ("never", "never"): ([], [], [], []),
}
"""§3.8.4: with none of both, a passkey alone, a password alone, both."""

HAVING = (Has(), Has(passkey=True), Has(password=True), Has(passkey=True, password=True))


def onboarding(pk, pw, has, **changes):
    acquired = {"passkey__acquire_on_login": pk, "password__acquire_on_login": pw, **changes}
    stash = Stash(webauthn_available=True, has=has)
    return names(credential_onboarding(config(**acquired), stash))


@pytest.mark.parametrize(("pk", "pw"), ONBOARDING)
@pytest.mark.parametrize("having", range(4))
def test_credentials_are_asked_for_as_the_table_has_it(pk, pw, having):
    assert onboarding(pk, pw, HAVING[having]) == ONBOARDING[pk, pw][having]


def test_a_passkey_comes_first_unless_the_password_alone_is_required():
    for optional, passkey_optional in itertools.product((True, False), repeat=2):
        found = onboarding(
            "always",
            "always",
            Has(),
            password__optional=optional,
            passkey__optional=passkey_optional,
        )
        assert found == ([W, P] if not optional and passkey_optional else [P, W])


@pytest.mark.parametrize("pk", ACQUIRE)
@pytest.mark.parametrize("has", HAVING)
def test_passkeys_alone_are_asked_for_unless_never(pk, has):
    found = onboarding(pk, "always", has, password__enabled=False)
    assert found == ([P] if pk != "never" and not has.passkey else [])


@pytest.mark.parametrize("pw", ACQUIRE)
@pytest.mark.parametrize("has", HAVING)
def test_passwords_alone_are_asked_for_unless_never(pw, has):
    found = onboarding("always", pw, has, passkey__enabled=False)
    assert found == ([W] if pw != "never" and not has.password else [])


@pytest.mark.parametrize(("pk", "pw"), ONBOARDING)
def test_no_password_is_asked_for_while_one_is_about_to_be_set_q_47(pk, pw):
    acquired = {"passkey__acquire_on_login": pk, "password__acquire_on_login": pw}
    stash = Stash(webauthn_available=True, recovery_pending=True)
    assert W not in names(credential_onboarding(config(**acquired), stash))


REGISTRATION = {
    ("always", "always"): [W, P],
    ("always", "conditional"): [P],
    ("conditional", "always"): [W],
    ("conditional", "conditional"): [C],
    ("always", "never"): [P],
    ("conditional", "never"): [P],
    ("never", "always"): [W],
    ("never", "conditional"): [W],
    ("never", "never"): [],
}


def registration(pk, pw, *, webauthn=True, **changes):
    acquired = {"passkey__acquire_on_registration": pk, "password__acquire_on_registration": pw}
    stash = Stash(webauthn_available=webauthn)
    return names(credential_registration(config(**acquired, **changes), stash))


@pytest.mark.parametrize(("pk", "pw"), REGISTRATION)
def test_a_registration_asks_as_the_table_has_it(pk, pw):
    assert registration(pk, pw) == REGISTRATION[pk, pw]


@pytest.mark.parametrize(("pk", "pw"), REGISTRATION)
def test_without_webauthn_passwords_alone_are_asked_for(pk, pw):
    assert registration(pk, pw, webauthn=False) == ([] if pw == "never" else [W])


@pytest.mark.parametrize(("pk", "pw"), REGISTRATION)
def test_without_passwords_passkeys_alone_are_asked_for(pk, pw):
    assert registration(pk, pw, password__enabled=False) == ([] if pk == "never" else [P])


def test_a_registration_asks_for_a_passkey_first_unless_the_password_alone_is_required():
    assert registration("always", "always", password__optional=True) == [P, W]
    assert registration("always", "always", passkey__optional=False) == [P, W]


# Second factors


KEY, TOTP = Has(security_key=True), Has(otp_secret=True)
BOTH = Has(security_key=True, otp_secret=True)


@pytest.mark.parametrize(
    ("has", "attachment", "changes", "expected"),
    [
        (Has(), True, {}, []),
        (KEY, True, {}, ["login_security_key"]),
        (BOTH, True, {}, ["login_security_key"]),
        (BOTH, False, {}, ["login_otp"]),
        (KEY, False, {}, ["error"]),
        (BOTH, False, {"mfa__totp__enabled": False}, ["error"]),
        (TOTP, True, {}, ["login_otp"]),
        (TOTP, True, {"mfa__totp__enabled": False}, []),
        (BOTH, True, {"mfa__security_keys__enabled": False}, ["login_otp"]),
        (KEY, True, {"mfa__security_keys__enabled": False}, []),
    ],
)
def test_the_second_factor_is_chosen_as_the_table_has_it(has, attachment, changes, expected):
    stash = Stash(has=has, security_key_attachment=attachment, webauthn_available=True)
    assert names(second_factor(config(**changes), stash)) == expected
    assert bool(expected) == has_second_factor(config(**changes), has)


def test_without_webauthn_no_security_key_is_asked_for():
    without = {"security_key_attachment": True, "webauthn_available": False}
    assert names(second_factor(PLAIN, Stash(has=KEY, **without))) == ["error"]
    assert names(second_factor(PLAIN, Stash(has=BOTH, **without))) == ["login_otp"]


@pytest.mark.parametrize(
    ("stash", "needs"),
    [
        (Stash(login_method="password"), True),
        (Stash(login_method="passcode"), True),
        (Stash(login_method="third_party"), True),
        (Stash(login_method="passkey"), True),
        (Stash(login_method="passkey", passkey_verified_user=True), False),
        (Stash(login_method="password", passkey_verified_user=True), True),
        (Stash(login_method="password", trusted_device=True), False),
        (Stash(), True),
    ],
)
def test_every_first_factor_needs_a_second_but_a_verified_passkey_sec_032(stash, needs):
    assert needs_second_factor(PLAIN, stash) is needs
    off = msgspec.structs.replace(PLAIN, mfa=msgspec.structs.replace(PLAIN.mfa, enabled=False))
    assert not needs_second_factor(off, stash)
