"""The profile as a whole, and the user's name, metadata, sessions and account (§2.3)."""

import pytest
from factories import make_session, make_user
from flows.members import ADA, ada_with_password, later, to_profile, with_app, with_key
from flows.walking import RestClient, preflight

from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewUser, ProfileChanges

NAMED = {"username__enabled": True}


async def refused(client, action, **inputs):
    """See that an action which is not offered is not done either (SEC-060)."""
    shown = await client.act(action, **inputs)
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")


# The state


async def test_the_profile_shows_the_user_and_where_they_are_signed_in(client, services):
    user = await ada_with_password(services)
    await make_session(services, user)
    later(services, seconds=1)
    shown = await to_profile(client, services, user)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert shown.payload["user"]["id"] == str(user.id)
    assert len(shown.payload["sessions"]) == 2
    assert "back" not in shown.actions
    assert {"email_create", "email_delete", "password_update", "patch_metadata"} <= set(
        shown.actions
    )


async def test_the_user_looks_as_the_page_says(rest, services):
    """§4.2, §4.3, §4.6."""
    user = await ada_with_password(services, unsafe={"theme": "dark"})
    await with_app(services, user)
    await with_key(services, user, "passkey")
    await with_key(services, user)
    shown = await to_profile(rest, services, user)
    seen = shown.payload["user"]
    assert seen["id"] == seen["user_id"] == str(user.id)
    assert seen["mfa_config"] == {
        "auth_app_set_up": True,
        "totp_enabled": True,
        "security_keys_enabled": True,
    }
    assert seen["metadata"] == {"unsafe_metadata": {"theme": "dark"}}
    assert [one["mfa_only"] for one in seen["passkeys"]] == [False]
    assert [one["mfa_only"] for one in seen["security_keys"]] == [True]
    (email,) = seen["emails"]
    assert (email["address"], email["is_verified"], email["is_primary"]) == (ADA, True, True)
    (session,) = shown.payload["sessions"]
    assert session["current"] is True
    assert {"id", "created_at", "expires_at", "last_used"} <= set(session)


@pytest.mark.configured(session__show_on_profile=False)
async def test_sessions_are_not_shown_where_it_is_so_configured(client, services):
    user = await make_user(services)
    shown = await to_profile(client, services, user)
    assert "sessions" not in shown.payload


async def test_who_is_not_signed_in_has_no_profile(client, services):
    """SEC-060."""
    shown = await client.start("profile")
    assert (shown.name, shown.status) == ("error", 401)


async def test_the_session_is_looked_at_with_every_step(client, services):
    """SEC-025, SEC-060."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await services.sessions.end_all(SYSTEM, user.id)
    shown = await client.act("password_update", password="a staple of new batteries")
    assert (shown.name, shown.status) == ("error", 401)


async def test_another_session_does_not_go_on_with_a_profile(client, services):
    """SEC-060: neither the user's own nor a stranger's."""
    user, other = await ada_with_password(services), await make_user(services)
    await to_profile(client, services, user)
    for stranger in (user, other):
        client.cookies["hanko"] = (await make_session(services, stranger)).token
        await refused(client, "password_update", password="a staple of new batteries")


async def test_a_deleted_user_has_no_profile(client, services):
    """SEC-122."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await services.users.delete(SYSTEM, user.id)
    shown = await client.act("patch_metadata", patch_metadata={})
    assert (shown.name, shown.status) == ("error", 401)


async def test_a_profile_step_is_no_login_step(services, rest):
    """Q-06: a flow belongs to its endpoint."""
    user = await ada_with_password(services)
    await to_profile(rest, services, user)
    rest.kind = "login"
    await refused(rest, "patch_metadata", patch_metadata={})
    assert isinstance(rest, RestClient)


async def test_what_the_deployment_lacks_is_not_offered(client, services):
    user = await ada_with_password(services)
    shown = await to_profile(client, services, user)
    for action, inputs in (
        ("account_delete", {}),
        ("username_create", {"username": "ada"}),
        ("username_update", {"username": "ada"}),
        ("username_delete", {}),
        ("session_delete", {"session_id": "x"}),
        (
            "connect_thirdparty_oauth_provider",
            {"provider": "google", "redirect_to": "x", "code_verifier": ""},
        ),
        ("disconnect_thirdparty_oauth_provider", {"identity_id": "x"}),
        ("exchange_token", {"token": "x", "code_verifier": ""}),
        ("back", {}),
    ):
        assert action not in shown.actions
        await refused(client, action, **inputs)


# The user name


@pytest.mark.configured(**NAMED)
async def test_a_name_is_chosen_changed_and_given_up(client, services):
    user = await make_user(services, email=ADA)
    shown = await to_profile(client, services, user)
    asked = shown.actions["username_create"]["username"]
    assert (asked["required"], asked["min_length"], asked["max_length"]) == (True, 3, 32)
    await refused(client, "username_update", username="ada")
    await refused(client, "username_delete")
    shown = await client.act("username_create", username=" Ada_L ")
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert shown.payload["user"]["username"]
    assert (await services.users.by_id(user.id)).username == "ada_l"
    shown = await client.act("username_update", username="lovelace")
    assert shown.status == 200
    assert (await services.users.by_id(user.id)).username == "lovelace"
    shown = await client.act("username_delete")
    assert shown.status == 200
    assert (await services.users.by_id(user.id)).username is None


@pytest.mark.configured(**NAMED)
async def test_ones_own_name_is_no_change(client, services):
    """Q-25."""
    user = await make_user(services, username="ada")
    await to_profile(client, services, user)
    shown = await client.act("username_update", username="ADA")
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert (await services.users.by_id(user.id)).username == "ada"


@pytest.mark.configured(**NAMED)
@pytest.mark.parametrize("action", ["username_create", "username_update"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a-b", "invalid_username_error"),
        ("", "value_missing_error"),
        ("ab", "value_too_short_error"),
        ("a" * 33, "value_too_long_error"),
        ("GRACE", "username_already_exists"),
    ],
)
async def test_a_name_that_cannot_be_is_refused(client, services, action, name, problem):
    """SEC-114."""
    await make_user(services, username="Grace")
    given = {"username": "ada"} if action == "username_update" else {}
    user = await make_user(services, **given)
    await to_profile(client, services, user)
    shown = await client.act(action, username=name)
    assert (shown.name, shown.status) == ("profile_init", 400)
    assert shown.problems == {"username": problem}
    if name:
        assert shown.actions[action]["username"]["value"] == name.lower()
    assert (await services.users.by_id(user.id)).username == given.get("username")


@pytest.mark.configured(**NAMED)
async def test_a_name_that_is_the_only_identifier_stays(client, services):
    """SEC-037: a passkey signs in, and the account is still called something."""
    user, _ = await services.users.create(SYSTEM, NewUser(profile=ProfileChanges(username="ada")))
    await with_key(services, user, "passkey")
    await to_profile(client, services, user)
    await refused(client, "username_delete")


@pytest.mark.configured(**NAMED, email__use_as_login_identifier=False)
async def test_a_name_that_signs_in_stays(client, services):
    """SEC-037."""
    user = await ada_with_password(services, username="ada")
    await to_profile(client, services, user)
    await refused(client, "username_delete")


@pytest.mark.configured(**NAMED, username__optional=False)
async def test_a_name_that_everybody_has_stays(client, services):
    user = await ada_with_password(services, username="ada")
    await to_profile(client, services, user)
    await refused(client, "username_delete")


# Metadata


async def unsafe_of(services, user):
    return (await services.metadata.of([user.id]))[user.id].unsafe


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"b": 2}, '{"a":{"x":1,"y":2},"b":2}'),
        ({"a": {"x": None}}, '{"a":{"y":2}}'),
        ({"a": None}, "{}"),
        ({"a": [1]}, '{"a":[1]}'),
        ('{"b": "text"}', '{"a":{"x":1,"y":2},"b":"text"}'),
        ("null", "{}"),
        (None, "{}"),
        ({}, '{"a":{"x":1,"y":2}}'),
    ],
)
async def test_unsafe_metadata_is_merged(client, services, patch, after):
    """RFC 7396."""
    user = await make_user(services, unsafe={"a": {"x": 1, "y": 2}}, public={"kept": True})
    await to_profile(client, services, user)
    shown = await client.act("patch_metadata", patch_metadata=patch)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await unsafe_of(services, user) == after
    assert (await services.metadata.of([user.id]))[user.id].public == '{"kept":true}'


@pytest.mark.parametrize("patch", ["", [], 7, True, "text", {"a": "x" * 3000}, {"a": "\u0000"}])
async def test_what_is_no_patch_changes_nothing(client, services, patch):
    """SEC-006, SEC-007: and nothing is kept of it."""
    user = await make_user(services, unsafe={"a": 1})
    await to_profile(client, services, user)
    shown = await client.act("patch_metadata", patch_metadata=patch)
    assert (shown.name, shown.status) == ("profile_init", 400)
    assert set(shown.problems) == {"patch_metadata"}  # GraphQL tells the bag's own reason
    assert await unsafe_of(services, user) == '{"a":1}'


async def test_to_send_nothing_clears_nothing(client, services):
    """Q-32: to leave the patch out is not to send null."""
    user = await make_user(services, unsafe={"a": 1})
    await to_profile(client, services, user)
    shown = await client.act("patch_metadata")
    assert shown.problems == {"patch_metadata": "invalid_metadata_error"}
    assert await unsafe_of(services, user) == '{"a":1}'


async def test_a_text_that_is_no_object_fails(client, services):
    """§7.6."""
    user = await make_user(services, unsafe={"a": 1})
    await to_profile(client, services, user)
    shown = await client.act("patch_metadata", patch_metadata="{not json}")
    assert (shown.name, shown.status, shown.error) == ("error", 500, "technical_error")
    assert await unsafe_of(services, user) == '{"a":1}'


async def test_the_other_bags_are_out_of_reach(client, services):
    """SEC-001: whatever a patch names, it goes into the unsafe bag."""
    user = await make_user(services, public={"plan": "free"}, private={"score": 1})
    await to_profile(client, services, user)
    await client.act("patch_metadata", patch_metadata={"public_metadata": {"plan": "gold"}})
    bags = (await services.metadata.of([user.id]))[user.id]
    assert bags.public == '{"plan":"free"}'
    assert (await services.metadata.private_of([user.id]))[user.id] == '{"score":1}'


# Sessions


async def test_another_session_is_ended(client, services):
    """SEC-025."""
    user = await ada_with_password(services)
    other = await make_session(services, user)
    later(services, seconds=1)
    shown = await to_profile(client, services, user)
    allowed = shown.actions["session_delete"]["session_id"]["allowed_values"]
    assert allowed == [{"value": str(other.session.id), "name": str(other.session.id)}]
    shown = await client.act("session_delete", session_id=str(other.session.id))
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert len(shown.payload["sessions"]) == 1
    assert await services.sessions.authenticate(other.token) == "revoked"
    await refused(client, "session_delete", session_id=str(other.session.id))


async def test_only_ones_own_other_session_is_ended(client, services):
    """SEC-054: nor the one in use, by this action."""
    user, other = await ada_with_password(services), await make_user(services)
    await make_session(services, user)
    foreign = await make_session(services, other)
    later(services, seconds=1)
    shown = await to_profile(client, services, user)
    mine = next(
        one["id"] for one in shown.payload["sessions"] if one.get("current", one.get("isCurrent"))
    )
    for session_id in (str(foreign.session.id), mine, "nonsense"):
        shown = await client.act("session_delete", session_id=session_id)
        assert shown.problems == {"session_id": "value_invalid_error"}
    assert await services.sessions.authenticate(foreign.token) != "revoked"


@pytest.mark.configured(session__allow_revocation=False)
async def test_sessions_are_not_ended_where_it_is_so_configured(client, services):
    user = await ada_with_password(services)
    other = await make_session(services, user)
    await to_profile(client, services, user)
    await refused(client, "session_delete", session_id=str(other.session.id))


# The account


@pytest.mark.configured(account__allow_deletion=True)
async def test_the_account_is_deleted_with_all_that_is_in_it(client, services):
    """SEC-027, SEC-122."""
    user = await ada_with_password(services, unsafe={"a": 1})
    await with_app(services, user)
    await with_key(services, user, "passkey")
    other = await make_session(services, user)
    await to_profile(client, services, user)
    shown = await client.act("account_delete")
    assert (shown.name, shown.status) == ("account_deleted", 200)
    assert (shown.payload, shown.actions) == ({}, {})
    assert any(line.startswith("hanko=;") or "Max-Age=0" in line for line in shown.cookies)
    assert await services.users.by_id(user.id) is None
    assert await services.sessions.authenticate(other.token) == "revoked"
    for table in ("user_session", "user_password", "user_totp", "webauthn_credential", "email"):
        assert await fetch(f"SELECT user_id FROM {table}") == []
    client.cookies.clear()
    shown = await preflight(client)
    assert shown.name == "login_init"
