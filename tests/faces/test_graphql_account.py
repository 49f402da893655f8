"""What a signed-in user changes of their own account through GraphQL."""

import asyncio
import dataclasses
from datetime import timedelta

import msgspec
import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from faces.clients import Face
from factories import make_session, make_user, reconfigured, with_config
from flows.walking import mailed_code

from app.access import SYSTEM, SessionPrincipal
from app.access import Actor as Caller
from app.config.sections import AccountRules, Email, Password, RateLimiter, StepUp
from app.config.sections import Session as SessionRules
from app.config.values import Duration
from app.credentials import totp_codes
from app.persistence import fetch
from app.selfservice import LastWayIn, Oneself
from app.users import NewEmail

PASSWORD = "correct horse battery staple"
EVE = "eve@example.com"
ADA = "ada@example.com"
ERRORS = "userErrors { __typename code path ... on StepUpRequired { maxAge } }"
MUTATIONS = {
    "addEmail": ("AddEmailInput", "email { id address isVerified isPrimary }"),
    "verifyEmail": ("VerifyEmailInput", "email { id address isVerified isPrimary }"),
    "setPrimaryEmail": ("emailId", "email { id isPrimary }"),
    "deleteEmail": ("emailId", "deletedId"),
    "setPassword": ("SetPasswordInput", "user { id }"),
    "deletePassword": (None, "user { id }"),
    "beginPasskeyRegistration": ("BeginPasskeyInput", "options"),
    "finishPasskeyRegistration": ("FinishPasskeyInput", "passkey { id name kind }"),
    "deletePasskey": ("credentialId", "deletedId"),
    "beginTotpEnrolment": (None, "secret uri qrCode enrolment"),
    "finishTotpEnrolment": ("FinishTotpInput", "user { id }"),
    "deleteTotp": (None, "user { id }"),
    "regenerateRecoveryCodes": (None, "codes"),
    "forgetTrustedDevice": ("deviceId", "deletedId"),
    "deleteMe": (None, "deletedId"),
}
RENAME = f"""mutation ($id: ID!, $name: String!) {{ step: renamePasskey(credentialId: $id,
  input: {{name: $name}}) {{ passkey {{ id name }} {ERRORS} }} }}"""
NEEDS_RECENT = set(MUTATIONS) - {
    *("verifyEmail", "forgetTrustedDevice"),
}


def document(name):
    takes, selected = MUTATIONS[name]
    if takes is None:
        return f"mutation {{ step: {name} {{ {selected} {ERRORS} }} }}"
    kind, argument = ("ID", takes) if takes.endswith("Id") else (takes, "input")
    declared, passed = f"($given: {kind}!)", f"({argument}: $given)"
    return f"mutation {declared} {{ step: {name}{passed} {{ {selected} {ERRORS} }} }}"


class Person:
    """A signed-in user and the face they speak to."""

    def __init__(self, face, services, user, issued):
        self.face, self.services, self.user, self.issued = face, services, user, issued

    async def ask(self, name, given=None):
        """Run a mutation and give its payload."""
        answer = await self.raw(name, given)
        assert "errors" not in answer, answer
        return answer["data"]["step"]

    async def raw(self, name, given=None):
        variables = {} if given is None else {"given": given}
        return await self.face.gql(document(name), variables, token=self.issued.token)

    async def code(self, name, given=None):
        """Run a mutation that is refused, and give the code."""
        (error,) = (await self.ask(name, given))["userErrors"]
        return error["code"]


async def person_at(services):
    user = await make_user(services, email=ADA)
    return Person(Face(services, "public"), services, user, await make_session(services, user))


@pytest.fixture
async def ada(services):
    return await person_at(await reconfigured(services, rate_limiter=RateLimiter(enabled=False)))


async def emails_of(ada):
    found = (await ada.services.users.emails_of([ada.user.id]))[ada.user.id]
    return [(email.address, email.is_primary, email.is_verified) for email in found]


async def sessions_of(ada):
    return await fetch("SELECT id FROM user_session WHERE user_id = $1", ada.user.id)


# Who may


@pytest.mark.parametrize("name", MUTATIONS)
async def test_nobody_changes_an_account_without_a_session(services, public, key, name):
    """SEC-016: a secret key is nobody."""
    takes = MUTATIONS[name][0]
    given = {
        None: None,
        "AddEmailInput": {"address": EVE},
        "VerifyEmailInput": {"address": EVE, "code": "1"},
        "SetPasswordInput": {"password": PASSWORD},
        "BeginPasskeyInput": {},
        "FinishPasskeyInput": {"response": {}},
        "FinishTotpInput": {"enrolment": "", "code": ""},
    }.get(takes, "x")
    variables = {} if given is None else {"given": given}
    for credentials in ({}, {"key": key}):
        answer = await public.gql(document(name), variables, **credentials)
        assert answer["errors"][0]["extensions"]["code"] in ("UNAUTHENTICATED", "FORBIDDEN")


async def test_what_opens_the_account_is_changed_soon_after_the_sign_in(services, clock):
    """SEC-037."""
    strict = await reconfigured(
        services, session=SessionRules(step_up=StepUp(max_age=Duration(minutes=5)))
    )
    ada = await person_at(strict)
    clock.advance(minutes=4)
    assert (await ada.ask("beginTotpEnrolment"))["userErrors"] == []
    clock.advance(minutes=2)
    given = {
        "addEmail": {"address": EVE},
        "setPassword": {"password": PASSWORD},
        "beginPasskeyRegistration": {},
        "setPrimaryEmail": "x",
        "deleteEmail": "x",
        "deletePasskey": "x",
        "finishTotpEnrolment": {"enrolment": "", "code": "123456"},
        "finishPasskeyRegistration": {"response": {}},
    }
    for name in sorted(NEEDS_RECENT):
        (error,) = (await ada.ask(name, given.get(name)))["userErrors"]
        assert error["__typename"] == "StepUpRequired", name
        assert (error["code"], error["maxAge"]) == ("STEP_UP_REQUIRED", 300)
    assert await services.users.by_id(ada.user.id) is not None
    assert await services.passwords.changed_at(ada.user.id) is None


async def test_production_asks_for_a_recent_sign_in_by_itself(services):
    """SEC-037: five minutes, where nothing else is configured."""
    assert services.self_service.step_up_max_age == timedelta(0)
    strict = with_config(services, environment="production")
    service = dataclasses.replace(services.self_service, config=strict)
    assert service.step_up_max_age == timedelta(minutes=5)


# Addresses


async def test_an_address_is_added_when_it_is_proved(ada):
    """SEC-040."""
    assert await ada.ask("addEmail", {"address": EVE}) == {"email": None, "userErrors": []}
    assert await emails_of(ada) == [(ADA, True, True)]
    code = await mailed_code(ada.services, EVE)
    assert await ada.code("verifyEmail", {"address": EVE, "code": "no"}) == "PASSCODE_INVALID"
    found = await ada.ask("verifyEmail", {"address": EVE, "code": code})
    assert found["email"]["isVerified"] is True
    assert await emails_of(ada) == [(ADA, True, True), (EVE, False, True)]
    assert await ada.code("verifyEmail", {"address": EVE, "code": code}) == "PASSCODE_INVALID"
    assert await ada.code("addEmail", {"address": EVE.upper()}) == "EMAIL_TAKEN"


async def test_a_code_is_good_for_its_address_and_session_alone(ada):
    """SEC-039, SEC-040."""
    await ada.ask("addEmail", {"address": EVE})
    code = await mailed_code(ada.services, EVE)
    other = {"address": "other@example.com", "code": code}
    assert await ada.code("verifyEmail", other) == "PASSCODE_INVALID"
    issued = await make_session(ada.services, ada.user)
    stranger = Person(ada.face, ada.services, ada.user, issued)
    assert await stranger.code("verifyEmail", {"address": EVE, "code": code}) == "PASSCODE_INVALID"


async def test_a_code_dies_after_three_wrong_ones(ada):
    """SEC-041."""
    await ada.ask("addEmail", {"address": EVE})
    code = await mailed_code(ada.services, EVE)
    for _ in range(3):
        await ada.code("verifyEmail", {"address": EVE, "code": "no"})
    refused = await ada.code("verifyEmail", {"address": EVE, "code": code})
    assert refused == "PASSCODE_MAX_ATTEMPTS_REACHED"


async def test_a_strangers_address_looks_free_and_cannot_be_proved(ada):
    """SEC-066: its owner is told."""
    await make_user(ada.services, email=EVE)
    assert await ada.ask("addEmail", {"address": EVE}) == {"email": None, "userErrors": []}
    while await ada.services.mail.deliver_next():
        ...
    (mail,) = await ada.services.mail.mailbox.newest()
    assert (mail.to, "attempt" in mail.subject) == (EVE, True)
    refused = await ada.code("verifyEmail", {"address": EVE, "code": "000000"})
    assert refused == "PASSCODE_INVALID"


async def test_an_unverified_address_of_ones_own_is_proved(ada):
    await ada.services.users.add_email(SYSTEM, ada.user.id, NewEmail(EVE))
    await ada.ask("addEmail", {"address": EVE})
    code = await mailed_code(ada.services, EVE)
    found = await ada.ask("verifyEmail", {"address": EVE, "code": code})
    assert found["email"]["isVerified"] is True


async def test_what_is_no_address_is_refused(ada):
    assert await ada.code("addEmail", {"address": "nonsense"}) == "EMAIL_INVALID"


async def test_codes_are_mailed_three_a_minute(services):
    """SEC-073."""
    ada = await person_at(services)
    for _ in range(3):
        await ada.ask("addEmail", {"address": EVE})
    assert await ada.code("addEmail", {"address": EVE}) == "RATE_LIMITED"


async def test_nobody_has_more_addresses_than_are_allowed(services):
    ada = await person_at(await reconfigured(services, email=Email(limit=1)))
    assert await ada.code("addEmail", {"address": EVE}) == "EMAIL_LIMIT_REACHED"


async def test_where_nothing_is_proved_an_address_is_added_at_once(services):
    ada = await person_at(await reconfigured(services, email=Email(require_verification=False)))
    found = await ada.ask("addEmail", {"address": EVE})
    assert found["email"]["isVerified"] is False
    assert await ada.code("addEmail", {"address": EVE}) == "EMAIL_TAKEN"


async def test_the_primary_address_changes_and_the_other_goes(ada):
    new = NewEmail(EVE, is_verified=True)
    email = await ada.services.users.add_email(SYSTEM, ada.user.id, new)
    found = await ada.ask("setPrimaryEmail", str(email.id))
    assert found["email"]["isPrimary"] is True
    (old, _) = (await ada.services.users.emails_of([ada.user.id]))[ada.user.id]
    assert (await ada.ask("deleteEmail", str(old.id)))["deletedId"] == str(old.id)
    assert await emails_of(ada) == [(EVE, True, True)]
    assert await ada.code("deleteEmail", str(email.id)) == "LAST_WAY_IN"
    for name in ("setPrimaryEmail", "deleteEmail"):
        assert await ada.code(name, str(old.id)) == "NOT_FOUND"


# Passwords


async def test_a_password_is_set_and_ends_other_sessions_when_changed(ada):
    """SEC-027, SEC-059: what goes for sessions goes for trusted devices."""
    devices = ada.services.trusted_devices
    await make_session(ada.services, ada.user)
    cookie = await devices.issue(SYSTEM, ada.user.id)
    await ada.ask("setPassword", {"password": PASSWORD})
    assert len(await sessions_of(ada)) == 2  # nobody can have used a password that was not there
    await ada.ask("setPassword", {"password": "first of all", "keepOtherSessions": True})
    assert len(await sessions_of(ada)) == 2
    assert await devices.is_trusted(ada.user.id, cookie)
    await ada.ask("setPassword", {"password": "second to none"})
    assert len(await sessions_of(ada)) == 1
    assert not await devices.is_trusted(ada.user.id, cookie)
    assert await ada.code("setPassword", {"password": "short"}) == "PASSWORD_TOO_SHORT"
    assert await ada.code("setPassword", {"password": ADA}) == "PASSWORD_GUESSABLE"


@pytest.mark.parametrize(
    ("headers", "spoken"),
    [
        ({"x-language": "de", "accept-language": "fr"}, "de"),
        ({"accept-language": "fr"}, "fr"),
        ({}, "en"),
    ],
)
async def test_mail_about_the_account_speaks_as_the_client_asks(ada, headers, spoken):
    for name, given in (
        ("setPassword", {"password": PASSWORD}),
        ("addEmail", {"address": EVE}),
    ):
        variables = {"given": given}
        await ada.face.gql(document(name), variables, token=ada.issued.token, headers=headers)
    rows = await fetch("SELECT template, language FROM mail_outbox ORDER BY id")
    assert [(row["template"], row["language"]) for row in rows] == [
        ("password_create", spoken),
        ("email_verification", spoken),
    ]


async def test_a_password_goes_where_mail_signs_in(services):
    """SEC-037."""
    ada = await person_at(await reconfigured(services, password=Password(optional=True)))
    await ada.ask("setPassword", {"password": PASSWORD})
    cookie = await services.trusted_devices.issue(SYSTEM, ada.user.id)
    assert (await ada.ask("deletePassword"))["userErrors"] == []
    assert not await services.trusted_devices.is_trusted(ada.user.id, cookie)
    assert await ada.code("deletePassword") == "LAST_WAY_IN"


async def test_a_password_that_everybody_has_stays(ada):
    """SEC-037."""
    await ada.ask("setPassword", {"password": PASSWORD})
    assert await ada.code("deletePassword") == "LAST_WAY_IN"


# Passkeys


@pytest.mark.parametrize("kind", ["PASSKEY", "SECURITY_KEY"])
async def test_a_credential_is_made_named_and_deleted(ada, kind):
    """SEC-044, SEC-054."""
    options = (await ada.ask("beginPasskeyRegistration", {"kind": kind}))["options"]
    made = Authenticator().create(options)
    found = await ada.ask("finishPasskeyRegistration", {"response": made})
    assert found["passkey"]["kind"] == kind
    given = {"id": made["id"], "name": "Blue"}
    answer = await ada.face.gql(RENAME, given, token=ada.issued.token)
    assert answer["data"]["step"]["passkey"]["name"] == "Blue"
    refused = await ada.code("finishPasskeyRegistration", {"response": made})
    assert refused == "PASSKEY_INVALID"
    assert (await ada.ask("deletePasskey", made["id"]))["deletedId"] == made["id"]
    assert await ada.code("deletePasskey", made["id"]) == "NOT_FOUND"


async def test_another_session_does_not_finish_a_ceremony(ada):
    """SEC-044."""
    options = (await ada.ask("beginPasskeyRegistration", {}))["options"]
    other = Person(ada.face, ada.services, ada.user, await make_session(ada.services, ada.user))
    made = Authenticator().create(options)
    refused = await other.code("finishPasskeyRegistration", {"response": made})
    assert refused == "PASSKEY_INVALID"


async def test_what_is_no_credential_is_refused(ada):
    refused = await ada.code("finishPasskeyRegistration", {"response": {"id": "x"}})
    assert refused == "WEBAUTHN_RESPONSE_INVALID"


async def test_a_passkey_that_is_the_only_way_in_stays(services):
    """SEC-037."""
    config = Email(use_for_authentication=False)
    ada = await person_at(await reconfigured(services, email=config))
    passkey = await passkey_of(ada.services, ada.user.id, Authenticator())
    assert await ada.code("deletePasskey", passkey.credential_id) == "LAST_WAY_IN"


# Second factors


async def test_an_app_is_set_up_and_removed(ada, clock):
    """SEC-055."""
    begun = await ada.ask("beginTotpEnrolment")
    assert begun["secret"] in begun["uri"]
    assert begun["qrCode"].startswith("data:image/png;base64,")
    assert begun["secret"] not in begun["enrolment"]
    assert await ada.services.totp.of(ada.user.id) is None
    step = totp_codes.step_at(clock())
    wrong = {"enrolment": begun["enrolment"], "code": totp_codes.code_at(begun["secret"], step + 9)}
    assert await ada.code("finishTotpEnrolment", wrong) == "OTP_CODE_INVALID"
    right = {"enrolment": begun["enrolment"], "code": totp_codes.code_at(begun["secret"], step)}
    assert (await ada.ask("finishTotpEnrolment", right))["userErrors"] == []
    assert await ada.services.totp.of(ada.user.id) is not None
    assert await ada.code("beginTotpEnrolment") == "TOTP_EXISTS"
    assert await ada.code("finishTotpEnrolment", right) == "TOTP_EXISTS"
    assert (await ada.ask("deleteTotp"))["userErrors"] == []
    assert await ada.code("deleteTotp") == "NOT_FOUND"


async def test_an_enrolment_belongs_to_its_session(ada, clock):
    """SEC-055, SEC-063."""
    begun = await ada.ask("beginTotpEnrolment")
    code = totp_codes.code_at(begun["secret"], totp_codes.step_at(clock()))
    other = Person(ada.face, ada.services, ada.user, await make_session(ada.services, ada.user))
    given = {"enrolment": begun["enrolment"], "code": code}
    assert await other.code("finishTotpEnrolment", given) == "ENROLMENT_INVALID"
    for forged in ("", "v1", "é", begun["secret"], begun["enrolment"][:-4]):
        refused = await ada.code("finishTotpEnrolment", {"enrolment": forged, "code": code})
        assert refused == "ENROLMENT_INVALID"


async def test_an_enrolment_waits_ten_minutes_sec_055(ada, clock):
    begun = await ada.ask("beginTotpEnrolment")
    clock.advance(minutes=10, seconds=1)
    code = totp_codes.code_at(begun["secret"], totp_codes.step_at(clock()))
    given = {"enrolment": begun["enrolment"], "code": code}
    assert await ada.code("finishTotpEnrolment", given) == "ENROLMENT_INVALID"


async def test_recovery_codes_are_shown_once(ada):
    first = (await ada.ask("regenerateRecoveryCodes"))["codes"]
    second = (await ada.ask("regenerateRecoveryCodes"))["codes"]
    assert len(second) == 10
    assert set(first) & set(second) == set()
    assert await ada.services.recovery_codes.left(ada.user.id) == 10


async def test_a_trusted_device_is_forgotten(ada):
    """SEC-059: one's own."""
    await ada.services.trusted_devices.issue(SYSTEM, ada.user.id)
    (device,) = await ada.services.trusted_devices.of(ada.user.id)
    other = await make_user(ada.services)
    issued = await make_session(ada.services, other)
    stranger = Person(ada.face, ada.services, other, issued)
    assert await stranger.code("forgetTrustedDevice", str(device.id)) == "NOT_FOUND"
    assert (await ada.ask("forgetTrustedDevice", str(device.id)))["userErrors"] == []
    assert await ada.services.trusted_devices.of(ada.user.id) == []


# The account


async def test_the_account_is_deleted_where_users_may(services):
    """SEC-027, SEC-122."""
    ada = await person_at(await reconfigured(services, account=AccountRules(allow_deletion=True)))
    assert (await ada.ask("deleteMe"))["deletedId"] == str(ada.user.id)
    assert await services.users.by_id(ada.user.id) is None
    assert await services.sessions.authenticate(ada.issued.token) == "revoked"


async def test_the_account_stays_where_users_may_not_delete_it(ada):
    assert await ada.code("deleteMe") == "ACCOUNT_DELETION_DISABLED"
    assert await ada.services.users.by_id(ada.user.id) is not None


async def test_of_two_ways_in_one_stays_though_both_go_at_once(services):
    """SEC-037: the rules are asked under the lock of the account."""
    rules = {"password": Password(optional=True), "email": Email(use_for_authentication=False)}
    ada = await person_at(await reconfigured(services, **rules))
    await ada.services.passwords.set(SYSTEM, ada.user.id, PASSWORD)
    passkey = await passkey_of(ada.services, ada.user.id, Authenticator())
    me = Oneself(Caller(session=SessionPrincipal(ada.issued.session.id, ada.user.id)))
    credentials = ada.services.own_credentials
    outcomes = await asyncio.gather(
        credentials.delete_password(me),
        credentials.delete_passkey(me, passkey.credential_id),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, LastWayIn) for outcome in outcomes) == 1
    held = await ada.services.self_service.held(ada.user.id)
    assert held.has_password is not bool(held.passkeys)


# The user name


RENAME_ME = f"""mutation ($input: UpdateMeInput!) {{ step: updateMe(input: $input)
  {{ user {{ username name }} {ERRORS} }} }}"""


async def update_me(ada, **given):
    answer = await ada.face.gql(RENAME_ME, {"input": given}, token=ada.issued.token)
    assert "errors" not in answer, answer
    return answer["data"]["step"]


async def with_names(services, **step_up):
    """Ada where user names sign in."""
    rules = msgspec.structs.replace(services.config.username, enabled=True)
    return await person_at(
        await reconfigured(
            services, username=rules, session=SessionRules(step_up=StepUp(**step_up))
        )
    )


async def test_a_name_that_is_needed_to_sign_in_cannot_be_taken_away(services):
    """SEC-037."""
    ada = await with_names(services)
    await update_me(ada, username="ada_l")
    await ada.services.passwords.set(SYSTEM, ada.user.id, PASSWORD)
    await fetch("DELETE FROM email WHERE user_id = $1", ada.user.id)
    (error,) = (await update_me(ada, username=None, name="Ada"))["userErrors"]
    assert (error["code"], error["path"]) == ("LAST_WAY_IN", ["input", "username"])
    kept = (await update_me(ada))["user"]
    assert kept == {"username": "ada_l", "name": None}, "all or nothing"


async def test_a_name_beside_an_address_may_go_and_its_user_is_told(services):
    ada = await with_names(services)
    await update_me(ada, username="ada_l")
    found = await update_me(ada, username=None)
    assert (found["user"]["username"], found["userErrors"]) == (None, [])
    rows = await fetch("SELECT template FROM mail_outbox ORDER BY created_at, id")
    assert [row["template"] for row in rows] == ["username_update", "username_delete"]
    kinds = await fetch("SELECT type FROM audit_event WHERE subject_id = $1", ada.user.id)
    assert {"username_changed", "username_deleted"} < {row["type"] for row in kinds}


async def test_another_name_needs_a_recent_sign_in_and_the_rest_of_a_profile_does_not(
    services, clock
):
    """SEC-037."""
    ada = await with_names(services, max_age=Duration(minutes=5))
    await update_me(ada, username="ada_l")
    clock.advance(minutes=6)
    for username in ("ada_k", None):
        (error,) = (await update_me(ada, username=username, name="Ada"))["userErrors"]
        assert (error["code"], error["maxAge"]) == ("STEP_UP_REQUIRED", 300)
    found = await update_me(ada, username="ada_l", name="Ada")
    assert found == {"user": {"username": "ada_l", "name": "Ada"}, "userErrors": []}
