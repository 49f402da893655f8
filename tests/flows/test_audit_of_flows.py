"""What the audit log holds of a flow (SEC-118)."""

import json

import pytest
from factories import make_user
from flows.journeys import JOURNEYS, World, travelled
from flows.members import ADA, ada_with_password, later, to_password, to_profile, with_app
from flows.people import audited, enter_code, registered_to_code
from flows.walking import mailed_code, preflight

from app.access import SYSTEM
from app.persistence import fetch

WITHOUT_MORE = {
    "passkey__acquire_on_registration": "never",
    "passkey__acquire_on_login": "never",
    "mfa__acquire_on_registration": False,
}
CONFIGURED = [
    pytest.param(journey, marks=pytest.mark.configured(**journey.settings), id=name)
    for name, journey in JOURNEYS.items()
]
REGISTRATIONS = [
    pytest.param(journey, marks=pytest.mark.configured(**journey.settings), id=name)
    for name, journey in JOURNEYS.items()
    if (journey.kind, journey.end) == ("registration", "success")
    and "third_party" not in journey.settings
]
"""Those who are made by the flow itself, not by a provider."""


async def records(kind: str) -> list[dict]:
    return [json.loads(row["details"]) for row in await audited(kind)]


async def in_order() -> list[str]:
    return [row["type"] for row in await fetch("SELECT type FROM audit_event ORDER BY id")]


@pytest.mark.one_database
@pytest.mark.parametrize("journey", CONFIGURED)
async def test_every_record_of_a_step_names_its_flow_sec_118(rest, services, journey):
    await travelled(journey, World(services, rest), lambda shown: None)
    asked = "SELECT type, details FROM audit_event WHERE request_id IS NOT NULL"
    for row in await fetch(asked):
        assert json.loads(row["details"])["flow_id"] == rest.flow_id, row["type"]


@pytest.mark.configured(**WITHOUT_MORE, username__enabled=True)
async def test_a_new_user_is_recorded_with_the_ways_in_that_they_chose(client, services):
    await preflight(client, "registration")
    await client.act("register_login_identifier", email=ADA, username="augusta")
    await enter_code(client, services)
    shown = await client.act("register_password", new_password="an umbrella for tomorrow")
    assert shown.name == "success"
    (made,) = await records("user_created")
    assert made == {"username": "a*****a", "password": True, "flow_id": client.flow_id}
    (changed,) = await records("password_changed")
    assert changed == {"context": "registration", "flow_id": client.flow_id}


@pytest.mark.one_database
@pytest.mark.parametrize("journey", REGISTRATIONS)
async def test_no_way_in_is_missing_from_the_record_of_a_new_user(rest, services, journey):
    """Each credential that a registration makes stands in it, by the id that it has."""
    await travelled(journey, World(services, rest), lambda shown: None)
    made = await records("user_created")
    kept = {
        "passkey": [one["passkey"] for one in await records("passkey_created")],
        "security_key": [one["security_key"] for one in await records("security_key_created")],
        "password": [True for _ in await records("password_changed")],
        "otp_secret": [True for _ in await records("otp_created")],
    }
    for what, ids in kept.items():
        assert ([made[0][what]] if what in made[0] else []) == ids


async def test_a_password_that_was_right_is_recorded_before_the_second_factor_sec_118(
    client, services
):
    """Who has the password alone leaves a trace of it, and no login."""
    user = await ada_with_password(services)
    await with_app(services, user)
    shown = await to_password(client)
    assert shown.name == "login_otp"
    (row,) = await audited("password_login_succeeded")
    assert row["subject_id"] == user.id
    assert json.loads(row["details"]) == {"flow_id": client.flow_id}
    assert await audited("login_success") == []


@pytest.mark.configured(**WITHOUT_MORE)
async def test_a_login_is_recorded_by_factor_and_as_a_whole_sec_118(client, services):
    user = await ada_with_password(services)
    await fetch("DELETE FROM audit_event")
    await to_password(client)
    assert await in_order() == ["password_login_succeeded", "session_created", "login_success"]
    (whole,) = await records("login_success")
    assert whole["login_method"] == "password"
    assert {row["subject_id"] for row in await fetch("SELECT subject_id FROM audit_event")} == {
        user.id
    }


@pytest.mark.configured(**WITHOUT_MORE, password__enabled=False)
async def test_a_mailed_code_that_was_right_is_recorded_and_a_wrong_one_is_not_sec_118(
    client, services
):
    await make_user(services, email=ADA)
    await preflight(client)
    await client.act("continue_with_login_identifier", email=ADA)
    code = await mailed_code(services, ADA)
    await client.act("verify_passcode", code="000000" if code != "000000" else "111111")
    assert await audited("passcode_login_final_succeeded") == []
    (failed,) = await records("login_failure")
    assert failed == {"login_method": "passcode", "flow_id": client.flow_id}
    await client.act("verify_passcode", code=code)
    assert await records("passcode_login_final_succeeded") == [{"flow_id": client.flow_id}]
    assert len(await audited("login_success")) == 1


@pytest.mark.configured(**WITHOUT_MORE)
async def test_a_code_that_proves_a_new_address_is_no_login(client, services):
    await registered_to_code(client)
    await enter_code(client, services)
    assert await audited("passcode_login_final_succeeded") == []


async def test_what_happens_outside_of_flows_names_none(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    later(services, seconds=1)
    await services.users.delete(SYSTEM, user.id)
    assert await records("user_deleted") == [{}]
