"""The quickstart page around the components."""

import asyncio
import re

import pytest
from browser.hanko import NARROW, PATIENCE, WIDE, user, visiting
from playwright.async_api import expect

pytestmark = pytest.mark.browser


async def test_its_policy_lets_nothing_else_in_sec_103(person):
    answer = await person.page.reload()
    policy = answer.headers["content-security-policy"]
    assert not re.search(r"https?:|\*|unsafe", policy)
    await person.settles("login_init")
    elsewhere = f"{person.server.admin_url}/health/alive"
    tried = (
        "async (url) => { try { await fetch(url); return 'sent'; } catch (e) { return `${e}`; } }"
    )
    assert (await person.page.evaluate(tried, elsewhere)).startswith("TypeError")
    styled = """() => {
      const style = document.createElement("style");
      style.textContent = "body { visibility: hidden }";
      document.head.append(style);
      return getComputedStyle(document.body).visibility;
    }"""
    assert await person.page.evaluate(styled) == "visible"
    blocked = await person.page.evaluate("window.violations.splice(0)")
    assert blocked == [f"connect-src {elsewhere}", "style-src-elem inline"]
    person.watch.console.clear()


async def test_the_mailbox_opens_beside_it_so_that_the_flow_goes_on(person):
    async with person.page.expect_popup() as opened:
        await person.page.get_by_role("link", name="Mailbox").click()
    mailbox = await opened.value
    await expect(mailbox.get_by_role("heading", name="Mailbox")).to_be_visible()
    await mailbox.close()
    await person.settles("login_init")


async def test_an_answer_that_comes_late_does_not_bring_back_who_has_gone(person):
    await person.open_signed_in(user(person.server, "ada@example.com"))
    held = asyncio.get_running_loop().create_future()

    async def hold_the_first(route):
        if held.done():
            await route.continue_()
        else:
            held.set_result((route, await route.fetch()))

    await person.page.route("**/graphql", hold_the_first)
    await person.unfold("Set password")
    await person.write("New password", "a horse that nobody rode")
    await person.take("Save")
    route, answer = await asyncio.wait_for(held, PATIENCE / 1000)
    await person.sign_out()
    async with person.page.expect_event("requestfinished"):
        await route.fulfill(response=answer)
    await person.page.evaluate("() => fetch(location).then((page) => page.text())")
    await person.is_signed_out()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_nothing_sticks_out(browser, server, tmp_path, viewport, scheme):
    address = f"somebody-with-a-long-name-{viewport['width']}-{scheme}@subdomain.example.com"
    async with visiting(browser, server, viewport, color_scheme=scheme) as person:
        await person.settles("login_init")
        await person.picture(tmp_path, "signed-out")
        await person.open_signed_in(user(server, address))
        await person.picture(tmp_path, "signed-in")
        width = await person.page.evaluate("document.documentElement.scrollWidth")
        assert width == viewport["width"]
