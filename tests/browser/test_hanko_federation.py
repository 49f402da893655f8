"""Signing in at providers written by others, with Hanko's published components."""

from contextlib import ExitStack, asynccontextmanager
from urllib.parse import urlencode

import httpx
import pytest
import yaml
from browser.chromium import built
from browser.hanko import NARROW, WIDE, set_up_app, totp, user, visiting
from peers import running
from playwright.async_api import expect
from processes import servers

pytestmark = pytest.mark.browser

PASSWORD = "a horse that nobody rode"
PROVIDER = "Continue with The peer"
CANCELLED = (
    "Access denied. The request was cancelled by the user or the provider has denied access for "
    "other reasons."
)


def settings_of(url, openid, saml):
    """What a deployment sets that knows both providers."""
    page = f"{url}/quickstart"
    return {
        "third_party": {
            "redirect_url": f"{url}/thirdparty/callback",
            "error_redirect_url": page,
            "allowed_redirect_urls": [page],
            "custom_providers": {
                "peer": {
                    "enabled": True,
                    "display_name": "The peer",
                    "client_id": running.CLIENT,
                    "secret": running.SECRET,
                    "scopes": ["openid", "email", "profile"],
                    "use_discovery": True,
                    "issuer": openid.url,
                    "allow_linking": True,
                }
            },
        },
        "saml": {
            "enabled": True,
            "endpoint_url": url,
            "audience_uri": url,
            "default_redirect_url": page,
            "identity_providers": [
                {
                    "enabled": True,
                    "name": "The SAML peer",
                    "domain": running.DOMAIN,
                    "metadata_url": f"{saml.url}/metadata",
                    "skip_email_verification": True,
                    "allow_idp_initiated": True,
                }
            ],
        },
    }


async def begin_at_saml(person, saml, login):
    """Come from the SAML provider, which nobody has asked to sign them in."""
    async with coming_back(person):
        await person.page.goto(f"{saml.url}/unsolicited?{urlencode({'login': login})}")


@pytest.fixture(scope="module")
def openid():
    """The OpenID provider."""
    return running.new_peer()


@pytest.fixture(scope="module")
def saml():
    """The SAML provider."""
    return running.new_peer()


@pytest.fixture(scope="module")
def server(tmp_path_factory, openid, saml):
    """A server with the quickstart page, and the providers that it knows."""
    built("quickstart")
    folder, port = tmp_path_factory.mktemp("federation"), servers.free_port()
    url, config = f"http://localhost:{port}", folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings_of(url, openid, saml)))
    with ExitStack() as stack:
        stack.enter_context(running.oidc(folder, openid, f"{url}/thirdparty/callback"))
        metadata = stack.enter_context(running.saml(folder, saml))
        off = {"RATE_LIMITER_ENABLED": "false"}
        started = servers.start(folder, public_port=port, config=config, **off)
        stack.callback(started.stop)
        started.wait_until_ready()
        told = httpx.get(f"{started.url}/saml/metadata", params={"domain": running.DOMAIN})
        metadata.write_bytes(told.raise_for_status().content)
        yield started


@pytest.fixture
def visit(browser, server, openid, saml):
    """Sends somebody to the page, who goes to the providers as well."""

    @asynccontextmanager
    async def come(viewport=WIDE, **options):
        others = (openid.host, saml.host)
        async with visiting(browser, server, viewport, others=others, **options) as somebody:
            yield somebody

    return come


@pytest.fixture
async def person(visit):
    async with visit() as somebody:
        yield somebody


async def say_who(person, login, button="Sign in", at="The OpenID provider"):
    """Fill in the provider's page."""
    await person.sees(at)
    if button == "Sign in":
        await person.page.get_by_label("Login").fill(login)
    async with coming_back(person):
        await person.press(button)


async def go_to_provider(person):
    await person.settles("login_init")
    await go_to_provider_again(person)


async def go_to_provider_again(person):
    """Press the button on a page that somebody has come back to; it may say that it was used."""
    await person.auth.get_by_role("button", name=PROVIDER).click()


@asynccontextmanager
async def coming_back(person):
    """Do what brings somebody back from a provider, and wait until they are."""
    async with person.page.expect_navigation(url=f"{person.url}?*", wait_until="commit"):
        yield


async def addresses(person):
    me = await person.is_signed_in()
    return {email["address"]: email["isVerified"] for email in me["emails"]}


async def test_who_comes_first_is_signed_up_and_who_comes_again_is_signed_in(person):
    await go_to_provider(person)
    await say_who(person, "ada@example.com")
    me = await person.is_signed_in()
    assert me["emails"] == [{"address": "ada@example.com", "isPrimary": True, "isVerified": True}]
    assert "hanko_token" not in person.page.url
    await person.sign_out()
    async with coming_back(person):
        await go_to_provider(person)  # who knows them still, and asks nothing
    assert await person.is_signed_in() == me


async def test_by_way_of_the_registration(person):
    await person.settles("login_init")
    await person.press("Create account")
    await person.settles("registration_init")
    await person.press(PROVIDER)
    await say_who(person, "bob@example.com")
    assert await addresses(person) == {"bob@example.com": True}


async def test_who_comes_with_an_address_that_nobody_vouches_for_proves_one_sec_081(person):
    address = "unverified-cas@example.com"
    await go_to_provider(person)
    await say_who(person, address)
    await person.settles("onboarding_email")
    await person.sees("Enter a new email")  # whether somebody has that one is not told
    await person.write("Email", address)
    await person.press("Continue")
    await person.type_mailed_code(address)
    assert await addresses(person) == {address: True}


async def test_the_second_factor_is_asked_for_after_a_provider_sec_032_sec_058(person):
    address = "dina@example.com"
    user_id = user(person.server, address, password=PASSWORD)
    await person.open_signed_in(user_id)
    secret, _ = await set_up_app(person)
    await person.sign_out()
    await go_to_provider(person)
    await say_who(person, address)
    await person.settles("login_otp")
    await person.sees("Authentication code")
    await person.type_code(totp(secret, ahead=1))
    await person.skip("Trust this browser?")
    assert (await person.is_signed_in())["id"] == user_id


async def test_who_cancels_there_is_told_and_goes_on(person):
    await go_to_provider(person)
    await say_who(person, "", "Cancel")
    await person.settles("login_init")
    await person.is_told(CANCELLED)
    assert "error" not in person.page.url
    await go_to_provider_again(person)
    await say_who(person, "eve@example.com")
    assert await addresses(person) == {"eve@example.com": True}


async def test_who_comes_back_without_an_answer_goes_on(person):
    await go_to_provider(person)
    await person.sees("The OpenID provider")
    await person.page.go_back()
    await person.settles("login_init")
    await go_to_provider_again(person)
    await say_who(person, "ida@example.com")
    assert await addresses(person) == {"ida@example.com": True}


async def test_an_identity_is_connected_and_disconnected_in_the_profile(person):
    user_id = user(person.server, "fay@example.org", password=PASSWORD)
    await person.open_signed_in(user_id)
    await person.unfold("Connect account")
    await person.take("The peer")
    await say_who(person, "fay@example.com")
    assert (await person.is_signed_in())["id"] == user_id
    await expect(person.profile.locator("label", has_text="The peer")).to_be_visible()
    await person.sign_out()
    async with coming_back(person):
        await go_to_provider(person)
    assert (await person.is_signed_in())["id"] == user_id
    await person.unfold("The peer")
    await person.delete()
    await expect(person.profile.locator("label", has_text="The peer")).to_have_count(0)


async def test_an_address_of_a_saml_domain_leads_to_its_provider(person):
    address = f"ada@{running.DOMAIN}"
    for _ in range(2):
        await person.begin_sign_in(address)
        await say_who(person, address, at="The SAML provider")
        assert await addresses(person) == {address: True}
        await person.sign_out()


async def test_a_sign_in_begins_at_the_saml_provider(person, saml):
    await person.settles("login_init")
    address = f"bob@{running.DOMAIN}"
    await begin_at_saml(person, saml, address)
    assert await addresses(person) == {address: True}
    assert "saml_hint" not in person.page.url


async def test_the_second_factor_is_asked_for_wherever_a_sign_in_began_sec_032_sec_058(
    person, saml
):
    address = f"cas@{running.DOMAIN}"
    user_id = user(person.server, address)
    await person.open_signed_in(user_id)
    secret, _ = await set_up_app(person)
    await person.sign_out()
    await begin_at_saml(person, saml, address)
    await person.sees("Authentication code")
    await person.type_code(totp(secret, ahead=1))
    await person.skip("Trust this browser?")
    assert (await person.is_signed_in())["id"] == user_id


async def test_the_registration_leads_to_the_saml_provider_too(person):
    address = f"dina@{running.DOMAIN}"
    await person.begin_sign_up(address)
    await say_who(person, address, at="The SAML provider")
    assert await addresses(person) == {address: True}


async def url_of_sign_in(person, login):
    """Sign in at the provider, and give the address that brings the token, unopened."""
    arriving = "**/quickstart?hanko_token=*"
    await person.page.route(arriving, lambda route: route.fulfill(body="Stopped."))
    await go_to_provider(person)
    await say_who(person, login)
    return person.page.url


async def test_the_token_of_another_sign_in_does_nothing_in_this_flow_sec_065(visit):
    async with visit() as eve, visit() as person:
        await person.page.goto(await url_of_sign_in(eve, "gil@example.com"))
        await person.is_signed_out()


async def test_the_token_of_a_flow_does_nothing_without_it_sec_065(visit):
    async with visit() as eve, visit() as person:
        url = await url_of_sign_in(eve, "hal@example.com")
        await person.page.goto(f"{url}&saml_hint=idp_initiated")
        await person.is_told("A technical error has occurred. Please try again later.", 500)
        await person.page.reload()
        await person.is_signed_out()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_nothing_sticks_out(visit, tmp_path, viewport, scheme):
    address = f"somebody-with-a-long-name-{viewport['width']}-{scheme}@subdomain.example.com"
    async with visit(viewport, color_scheme=scheme) as person:
        await go_to_provider(person)
        await say_who(person, "", "Cancel")
        await person.settles("login_init")
        await person.is_told(CANCELLED)
        await person.picture(tmp_path, "cancelled")
        await go_to_provider_again(person)
        await say_who(person, address)
        await person.is_signed_in()
        await person.unfold("The peer")
        await person.part.get_by_role("button", name="Delete").click(trial=True)  # it unfolds
        await person.picture(tmp_path, "signed-in")
        assert await width_of(person) == viewport["width"]
        await person.sign_out()
        await person.picture(tmp_path, "signed-out")
        assert await width_of(person) == viewport["width"]


async def width_of(person):
    return await person.page.evaluate("document.documentElement.scrollWidth")
