"""Providers in flows: the way there and back, whose flow a token is for, and what comes next."""

import asyncio
from datetime import timedelta

import pytest
from federation.providers import TARGET, VERIFIER, come_back, token_of
from flows.journeys import PROVIDERS, TO_GOOGLE, google_of
from flows.members import code_of, to_profile
from flows.people import ADA, PASSWORD, audited, enter_code, flow_row, person, with_totp
from flows.walking import RestClient, deliver, preflight

from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewEmail, NewUser

pytestmark = pytest.mark.configured(**PROVIDERS)
HINTS = {"privacy__show_account_existence_hints": True}


async def to_google(client, kind="login", **given):
    """A flow that has sent the browser to the provider."""
    await preflight(client, kind)
    return await client.act("thirdparty_oauth", **{**TO_GOOGLE, **given})


async def back_with(client, services, shown):
    """The token that the browser comes back with."""
    secret = client.cookies["hanko_thirdparty_state"]
    back = await come_back(services, shown.payload["redirect_url"], secret)
    return back["hanko_token"]


async def signed_in(client, services, kind="login"):
    """A sign-in at the provider, as far as the flow then goes."""
    if kind == "token_exchange":
        await client.start(kind)
        token = await token_of(services)
        return await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    token = await back_with(client, services, await to_google(client, kind))
    return await client.act("exchange_token", token=token, code_verifier=VERIFIER)


def early(shown, status, code):
    """Whether a step was refused before it was one (Q-12)."""
    return (shown.name, shown.status, shown.error, shown.token) == ("error", status, code, None)


async def identities():
    return await fetch("SELECT user_id, provider, subject FROM identity")


# The way there


async def test_the_providers_are_offered_in_the_order_of_the_page(client):
    shown = await preflight(client)
    allowed = shown.actions["thirdparty_oauth"]["provider"]["allowed_values"]
    expected = [{"value": "google", "name": "Google"}, {"value": "custom_corp", "name": "Corp"}]
    assert allowed == expected


async def test_the_typed_face_shows_them_with_the_state(graphql):
    shown = await preflight(graphql)
    assert [one["id"] for one in shown.payload["providers"]] == ["google", "custom_corp"]


async def test_the_browser_gets_its_secret_on_either_face_sec_074(client):
    shown = await to_google(client)
    assert shown.name == "thirdparty"
    assert shown.payload["redirect_url"].startswith("https://idp.example/authorize?state=")
    (line,) = shown.cookies
    named, *attributes = line.split("; ")
    assert named.startswith("hanko_thirdparty_state=")
    assert named.partition("=")[2] not in shown.payload["redirect_url"]
    expected = {"Path=/", "Max-Age=300", "HttpOnly", "Secure", "SameSite=None"}
    assert set(attributes) == expected


async def test_a_second_tab_leaves_the_first_its_way_back_sec_074(client, services):
    google_of(services).knows()
    first = await to_google(client)
    flow_id, csrf = client.flow_id, client.csrf
    second = await to_google(client)
    for shown in (first, second):
        assert await back_with(client, services, shown)
    back = await client.act("back", flow_id=flow_id, csrf=csrf)
    assert (back.name, back.error) == ("login_init", None)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"redirect_to": "https://evil.example/in"}, "redirect_to"),
        ({"redirect_to": f"{TARGET}.evil.example"}, "redirect_to"),
        ({"redirect_to": ""}, "redirect_to"),
        ({"provider": "nobody"}, "provider"),
        ({"provider": ""}, "provider"),
        ({"code_verifier": "short"}, "code_verifier"),
    ],
)
async def test_a_start_that_is_not_good_says_why_sec_082(client, given, refused):
    shown = await to_google(client, **given)
    assert (shown.name, shown.status) == ("login_init", 400)
    assert shown.problems.keys() == {refused}
    assert not shown.cookies
    assert await fetch("SELECT 1 FROM federation_state") == []


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_a_network_begins_so_many_and_no_more_sec_126(rest, services):
    """SEC-126: going back and forth within a flow makes no rows without end."""
    most = services.config.rate_limiter.flow_limits.tokens
    await preflight(rest)
    for _ in range(most):
        shown = await rest.act("thirdparty_oauth", **TO_GOOGLE)
        if shown.name == "thirdparty":
            await rest.act("back")
    assert (shown.name, shown.error) == ("login_init", "rate_limit_exceeded")
    assert len(await fetch("SELECT 1 FROM federation_state")) < most


async def test_an_action_of_a_provider_that_went_away_is_refused(client, services):
    services.federation.connectors.off |= {"google", "custom_corp"}
    shown = await preflight(client)
    assert "thirdparty_oauth" not in shown.actions
    refused = await client.act("thirdparty_oauth", **TO_GOOGLE)
    assert early(refused, 403, "operation_not_permitted_error")


# The way back


async def test_somebody_new_signs_up_and_is_signed_in(client, services):
    google_of(services).knows()
    shown = await signed_in(client, services)
    assert (shown.name, shown.error) == ("success", None)
    claims = shown.payload["claims"]
    assert claims["amr"] == ["ext:google"]
    assert len(await identities()) == 1
    assert len(await audited("thirdparty_signup_succeeded")) == 1
    (success,) = await audited("login_success")
    assert '"third_party_provider":"google"' in success["details"].replace(" ", "")
    (made,) = await audited("user_created")
    assert '"third_party_provider":"google"' in made["details"].replace(" ", "")


async def test_the_page_learns_which_provider_it_was(rest, services):
    google_of(services).knows()
    shown = await signed_in(rest, services)
    expected = {"login_method": "third_party", "third_party_provider": "google"}
    assert shown.payload["last_login"] == expected
    again = await signed_in(RestClient(rest.face), services, "registration")
    assert again.name == "success"
    assert "last_login" not in again.payload


async def test_an_abandoned_sign_in_leaves_nothing(client, services):
    google_of(services).knows()
    await back_with(client, services, await to_google(client))
    assert (await client.act("back")).name == "login_init"
    assert await identities() == []
    assert await fetch("SELECT 1 FROM app_user") == []


async def test_a_token_is_for_the_flow_that_began_it_sec_065(client, services):
    """SEC-065: who lures somebody with a token of their own signs nobody in."""
    google_of(services).knows()
    token = await back_with(client, services, await to_google(client))
    other = type(client)(client.face)
    await to_google(other)
    before = await flow_row(other.flow_id)
    refused = await other.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert early(refused, 500, "technical_error")
    after = await flow_row(other.flow_id)
    unchanged = ("state", "csrf_digest", "version", "content")
    assert [after[name] for name in unchanged] == [before[name] for name in unchanged]
    assert (await other.act("back")).name == "login_init"
    mine = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert mine.name == "success"


@pytest.mark.parametrize("kind", ["login", "registration", "token_exchange"])
async def test_a_token_of_a_profile_signs_nobody_in_sec_065(client, services, kind):
    google_of(services).knows()
    account = await person(services)
    token = await token_of(services, kind="profile", user_id=account.id)
    await (client.start(kind) if kind == "token_exchange" else to_google(client, kind))
    assert early(await client.act("exchange_token", token=token), 500, "technical_error")


@pytest.mark.parametrize("verifier", ["", "w" * 64])
async def test_another_verifier_redeems_nothing_and_uses_nothing_up_sec_065(
    client, services, verifier
):
    """SEC-065, Q-12: the flow stays where it is, and so does the token."""
    google_of(services).knows()
    token = await back_with(client, services, await to_google(client))
    refused = await client.act("exchange_token", token=token, code_verifier=verifier)
    assert early(refused, 400, "form_data_invalid_error")
    again = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert again.name == "success"


@pytest.mark.parametrize("token", ["made up", "x" * 5000, "\x00"])
async def test_a_token_that_is_none_is_refused_and_recorded(client, services, token):
    shown = await to_google(client)
    refused = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert refused.token is None
    assert refused.error in {"technical_error", "form_data_invalid_error"}
    if refused.name == "error":
        (row,) = await audited("thirdparty_signin_signup_failed")
        assert token not in str(row)
    assert shown.name == "thirdparty"


async def test_a_token_is_redeemed_once_sec_065(client, services):
    google_of(services).knows()
    token = await token_of(services)
    await client.start("token_exchange")
    assert (
        await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    ).name == "success"
    await client.start("token_exchange")
    assert early(await client.act("exchange_token", token=token), 500, "technical_error")


async def test_two_who_redeem_one_token_at_once_get_one_session_sec_137(public, services):
    """SEC-137: on both databases the token lets one in."""
    google_of(services).knows()
    for _ in range(3):
        token = await token_of(services)
        clients = [RestClient(public) for _ in range(4)]
        for one in clients:
            await one.start("token_exchange")
        before = len(await fetch("SELECT 1 FROM user_session"))
        given = {"token": token, "code_verifier": VERIFIER}
        shown = await asyncio.gather(*(one.act("exchange_token", **given) for one in clients))
        assert sorted(one.name for one in shown) == ["error", "error", "error", "success"]
        assert len(await fetch("SELECT 1 FROM user_session")) == before + 1
    assert len(await identities()) == 1


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_tokens_are_tried_so_often_and_no_more_sec_071(rest, services):
    """SEC-071, Q-12: too many tries are an early failure, with the time to wait."""
    google_of(services).knows()
    most = services.config.rate_limiter.token_limits.tokens
    await to_google(rest)
    for _ in range(most):
        assert early(await rest.act("exchange_token", token="no"), 500, "technical_error")
    refused = await rest.act("exchange_token", token="no")
    assert early(refused, 429, "rate_limit_exceeded")
    assert refused.retry_after
    services.clock.advance(minutes=2)
    assert early(await rest.act("exchange_token", token="no"), 500, "technical_error")


async def test_a_provider_that_was_switched_off_meanwhile_lets_nobody_in_sec_084(client, services):
    google_of(services).knows()
    token = await back_with(client, services, await to_google(client))
    services.federation.connectors.off.add("google")
    refused = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert early(refused, 403, "operation_not_permitted_error")
    assert await identities() == []
    (row,) = await audited("thirdparty_signin_signup_failed")
    assert "ProviderDisabled" in row["details"]


@pytest.mark.configured(username__enabled=True)
@pytest.mark.parametrize("change", ["off", "gone"])
async def test_a_flow_that_rests_sees_that_the_identity_still_counts_sec_084(
    client, services, change
):
    """SEC-084: the provider is switched off, or the identity given up, before the last step."""
    google_of(services).knows()
    assert (await signed_in(client, services)).name == "onboarding_username"
    if change == "off":
        services.federation.connectors.off.add("google")
    else:
        await fetch("DELETE FROM identity")
    refused = await client.act("skip")
    assert early(refused, 403, "operation_not_permitted_error")
    assert await fetch("SELECT 1 FROM user_session") == []


@pytest.mark.configured(account__allow_signup=False, **HINTS)
async def test_a_refusal_that_came_up_meanwhile_is_an_early_failure(client, services):
    """The decision is taken again, under the lock of the account."""
    account = await person(services)
    google_of(services).knows()
    token = await back_with(client, services, await to_google(client))
    await services.users.delete(SYSTEM, account.id)
    refused = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert early(refused, 403, "operation_not_permitted_error")


# What comes next

KINDS = ["login", "registration", "token_exchange"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_provider_is_one_factor_whatever_the_flow_sec_032_058(client, services, kind):
    """SEC-032, SEC-058: no session, and no way past the account's second factor."""
    account = await person(services)
    secret = await with_totp(services, account)
    google_of(services).knows()
    shown = await signed_in(client, services, kind)
    assert (shown.name, shown.token) == ("login_otp", None)
    assert "back" not in shown.actions
    assert await fetch("SELECT 1 FROM user_session") == []
    wrong = await client.act("otp_code_validate", otp_code="000000")
    assert (wrong.name, wrong.token) == ("login_otp", None)
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"
    shown = await client.act("trust_device")
    assert shown.name == "success"
    assert shown.payload["claims"]["amr"] == ["ext:google", "totp"]
    assert "hanko-device-token" in client.cookies


@pytest.mark.parametrize("kind", KINDS)
async def test_a_trusted_device_is_spared_the_second_factor(client, services, kind):
    account = await person(services)
    await with_totp(services, account)
    client.cookies["hanko-device-token"] = await services.trusted_devices.issue(SYSTEM, account.id)
    google_of(services).knows()
    assert (await signed_in(client, services, kind)).name == "success"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_second_factor_that_was_added_meanwhile_is_not_passed_by_sec_032(
    client, services, kind
):
    """SEC-032: a flow that rests before its end."""
    account = await person(services)
    google_of(services).knows()
    shown = await signed_in(client, services, kind)
    assert shown.name == "success"
    await with_totp(services, account)
    again = type(client)(client.face)
    assert (await signed_in(again, services, kind)).name == "login_otp"


@pytest.mark.configured(mfa__optional=False, mfa__acquire_on_login=True)
@pytest.mark.parametrize("kind", ["login", "registration"])
async def test_who_must_have_a_second_factor_makes_one(client, services, kind):
    google_of(services).knows(email=None)
    shown = await signed_in(client, services, kind)
    assert shown.name == "mfa_method_chooser"
    assert shown.actions.keys() == {"continue_to_otp_secret_creation"}
    shown = await client.act("continue_to_otp_secret_creation")
    assert shown.payload["otp_secret"]


async def test_a_second_factor_that_is_optional_is_not_asked_for(client, services):
    google_of(services).knows()
    assert services.config.mfa.acquire_on_registration
    assert (await signed_in(client, services, "registration")).name == "success"


@pytest.mark.configured(**HINTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_address_that_nobody_vouches_for_is_proved_first(client, services, kind):
    google_of(services).knows(email_verified=False)
    shown = await signed_in(client, services, kind)
    assert (shown.name, shown.token) == ("passcode_confirmation", None)
    shown = await enter_code(client, services)
    assert shown.name == "success"
    assert shown.payload["claims"]["amr"] == ["otp", "ext:google"]
    (row,) = await fetch("SELECT is_verified FROM email")
    assert row["is_verified"]


@pytest.mark.configured(email__require_verification=False, **HINTS)
async def test_an_address_that_need_not_be_proved_is_not(client, services):
    google_of(services).knows(email_verified=False)
    assert (await signed_in(client, services)).name == "success"


@pytest.mark.configured(username__enabled=True, username__acquire_on_login=False)
async def test_who_is_new_is_asked_for_what_a_registration_asks_for(client, services):
    google_of(services).knows(email=None)
    shown = await signed_in(client, services)
    assert shown.name == "onboarding_email"
    await client.act("email_address_set", email=ADA)
    shown = await enter_code(client, services)
    assert shown.name == "onboarding_username"
    assert (await client.act("skip")).name == "success"
    again = type(client)(client.face)
    assert (await signed_in(again, services)).name == "success"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_typed_before_does_not_count(client, services, kind):
    """Who comes from the provider is who the provider says, whoever was named before."""
    await person(services, "bob@example.com")
    google_of(services).knows()
    shown = await signed_in(client, services, kind)
    assert shown.name == "success"
    (row,) = await fetch("SELECT user_id FROM user_session")
    account = await services.users.by_email(ADA)
    assert row["user_id"] == account.id


async def test_an_address_that_is_not_proved_here_takes_no_identity_sec_064(client, services):
    """SEC-064: who has registered somebody's address and waited gains nothing."""
    new = NewUser(emails=(NewEmail(ADA, is_primary=True),))
    account, _ = await services.users.create(SYSTEM, new)
    await services.passwords.set(SYSTEM, account.id, PASSWORD)
    google_of(services).knows()
    shown = await to_google(client)
    secret = client.cookies["hanko_thirdparty_state"]
    back = await come_back(services, shown.payload["redirect_url"], secret)
    assert back["error"] == "user_conflict"
    assert await identities() == []


# The profile


async def ada_in_profile(client, services, **given):
    account = await person(services, **given)
    return account, await to_profile(client, services, account)


async def connected(client, services):
    shown = await client.act("connect_thirdparty_oauth_provider", **TO_GOOGLE)
    token = await back_with(client, services, shown)
    return await client.act("exchange_token", token=token, code_verifier=VERIFIER)


async def test_an_identity_is_connected_and_its_user_is_told(rest, services):
    account, _ = await ada_in_profile(rest, services)
    google_of(services).knows()
    shown = await connected(rest, services)
    assert (shown.name, shown.error) == ("profile_init", None)
    (row,) = await identities()
    assert row["user_id"] == account.id
    (one,) = shown.payload["user"]["identities"]
    assert (one["id"], one["provider"]) == ("subject-1", "Google")
    (email,) = shown.payload["user"]["emails"]
    assert email["identities"] == [one]
    assert email["identity"] == one
    assert any("Google" in mail.text for mail in await deliver(services))
    left = shown.actions["connect_thirdparty_oauth_provider"]["provider"]["allowed_values"]
    assert [choice["value"] for choice in left] == ["custom_corp"]


async def test_the_account_shows_the_identity_of_an_address(rest, services):
    await ada_in_profile(rest, services)
    google_of(services).knows()
    shown = await connected(rest, services)
    me = (await rest.face.get("/me", headers=rest.sent())).json()
    assert me["emails"] == shown.payload["user"]["emails"]
    assert me["identities"] == shown.payload["user"]["identities"]
    services.federation.connectors.off.add("google")
    me = (await rest.face.get("/me", headers=rest.sent())).json()
    assert "identities" not in me
    assert "identities" not in me["emails"][0]
    assert "identity" not in me["emails"][0]


async def test_an_identity_of_another_is_not_connected_q_48(client, services):
    """Q-48: it is refused, and stays whose it is."""
    google_of(services).knows(email="bob@example.com")
    first = type(client)(client.face)
    assert (await signed_in(first, services)).name == "success"
    (before,) = await identities()
    await ada_in_profile(client, services)
    shown = await client.act("connect_thirdparty_oauth_provider", **TO_GOOGLE)
    secret = client.cookies["hanko_thirdparty_state"]
    back = await come_back(services, shown.payload["redirect_url"], secret)
    assert back["error"] == "invalid_request"
    assert await identities() == [before]


async def test_an_identity_that_became_another_s_meanwhile_is_refused_q_48(client, services):
    google_of(services).knows()
    await ada_in_profile(client, services, address="bob@example.com")
    shown = await client.act("connect_thirdparty_oauth_provider", **TO_GOOGLE)
    token = await back_with(client, services, shown)
    assert (await signed_in(type(client)(client.face), services)).name == "success"
    refused = await client.act("exchange_token", token=token, code_verifier=VERIFIER)
    assert early(refused, 403, "operation_not_permitted_error")
    assert (await client.act("back")).name == "profile_init"


async def test_a_token_to_sign_in_connects_nothing_sec_065(client, services):
    google_of(services).knows()
    token = await token_of(services)
    await ada_in_profile(client, services, address="bob@example.com")
    await client.act("connect_thirdparty_oauth_provider", **TO_GOOGLE)
    assert early(await client.act("exchange_token", token=token), 500, "technical_error")
    assert await identities() == []


async def test_the_last_way_in_is_not_given_up_q_31_sec_037(client, services):
    """SEC-037: with nothing else to sign in with, giving up is not offered, and not accepted."""
    google_of(services).knows(email=None)
    assert (await signed_in(client, services)).name == "onboarding_email"
    (row,) = await identities()
    account = await services.users.by_id(row["user_id"])
    shown = await to_profile(client, services, account)
    assert "disconnect_thirdparty_oauth_provider" not in shown.actions
    (one,) = (await services.federation.identities_of([account.id]))[account.id]
    refused = await client.act("disconnect_thirdparty_oauth_provider", identity_id=str(one.id))
    assert early(refused, 403, "operation_not_permitted_error")
    assert len(await identities()) == 1


async def test_only_one_s_own_identity_is_given_up_q_31(client, services):
    google_of(services).knows(subject="bob", email="bob@example.com")
    await signed_in(type(client)(client.face), services)
    (bobs,) = await fetch("SELECT id FROM identity")
    google_of(services).knows()
    await ada_in_profile(client, services)
    await connected(client, services)
    shown = await client.act("disconnect_thirdparty_oauth_provider", identity_id=str(bobs["id"]))
    assert shown.problems == {"identity_id": "value_invalid_error"}
    assert len(await identities()) == 2


@pytest.mark.configured(session__step_up__max_age=timedelta(minutes=1))
@pytest.mark.parametrize("word", ["connect", "disconnect"])
async def test_a_change_needs_a_recent_sign_in_sec_037(client, services, word):
    google_of(services).knows()
    await ada_in_profile(client, services)
    shown = await connected(client, services)
    action = f"{word}_thirdparty_oauth_provider"
    if word == "disconnect":
        (one,) = shown.actions[action]["identity_id"]["allowed_values"]
        given = {"identity_id": one["value"]}
    else:
        given = {**TO_GOOGLE, "provider": "custom_corp"}
    services.clock.advance(minutes=10)
    refused = await client.act(action, **given)
    assert (refused.name, refused.error) == ("profile_init", "operation_not_permitted_error")
    assert len(await identities()) == 1


async def test_a_password_may_go_where_an_identity_is_left(client, services):
    google_of(services).knows()
    new = NewUser(emails=(NewEmail(ADA, is_primary=True, is_verified=True),))
    account, _ = await services.users.create(SYSTEM, new)
    await to_profile(client, services, account)
    shown = await connected(client, services)
    assert "disconnect_thirdparty_oauth_provider" in shown.actions  # codes reach the address


# Token exchange without SAML


async def test_a_token_exchange_is_open_where_any_provider_is_on(client, services):
    assert (await client.start("token_exchange")).name == "thirdparty"
    services.federation.connectors.off |= {"google", "custom_corp"}
    assert early(await client.start("token_exchange"), 403, "forbidden")
