"""The README's first five minutes, as somebody does them who has typed `make run`."""

import asyncio
import re

import pytest
from browser.chromium import built
from browser.hanko import PATIENCE, visiting
from playwright.async_api import expect
from processes.servers import ROOT

pytestmark = pytest.mark.browser

ADDRESS, PASSWORD = "grace@example.com", "a horse that nobody rode"


@pytest.fixture(scope="module")
def steps():
    """The steps of the README, each under its number."""
    text = (ROOT / "README.md").read_text()
    section = text.partition("## The first five minutes\n")[2].partition("\n## ")[0]
    return re.split(r"^\d\. ", section, flags=re.MULTILINE)


def address(step, server):
    """Give the one address that a step names, on the ports of *server*."""
    (found,) = re.findall(r"<(http://localhost:\d+/\w+)>", step)
    ours = {"8000": server.public_port, "8001": server.admin_port}
    return re.sub(r"(?<=:)800[01]", lambda port: str(ours[port[0]]), found)


def buttons(step):
    return re.findall(r"\*\*(.+?)\*\*", step)


async def test_they_end_with_me_in_graphiql(browser, server, steps):
    built("explorer")
    _, quickstart, form, code, password, graphiql = steps
    async with visiting(browser, server) as person:
        await person.page.goto(address(quickstart, server))
        await expect(person.auth).to_be_visible()
        create, send = buttons(form)
        await person.settles("login_init")
        await person.press(create)
        await person.settles("registration_init")
        await person.write("Email", ADDRESS)
        await person.press(send)
        await person.sees("Enter passcode")
        await person.type_code(await mailed_code(person, address(code, server)))
        go_on, skip = buttons(password)
        await person.write("New password", PASSWORD)
        await person.press(go_on)
        for offered in ("Set up MFA", "Create a passkey"):
            await person.sees(offered)
            await person.press(skip)
        me = await person.is_signed_in()
        assert me["emails"] == [{"address": ADDRESS, "isPrimary": True, "isVerified": True}]
        await graphiql_answers(person, address(graphiql, server), me["id"])


async def mailed_code(person, url):
    """Read the newest mail on the mailbox page."""
    page = await person.page.context.new_page()
    mail = page.get_by_role("article").filter(has_text=ADDRESS).first
    async with asyncio.timeout(PATIENCE / 1000):
        while not await mail.count():  # it is sent a moment later
            await page.goto(url)
    found = re.search(r"^\d{6}$", await mail.inner_text(), re.MULTILINE)
    await page.close()
    return found[0]


async def graphiql_answers(person, url, text):
    """Press play on the query that GraphiQL begins with."""
    page = await person.page.context.new_page()
    await page.goto(url)
    await page.get_by_role("textbox", name="Operation", exact=True).wait_for()
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.get_by_role("region", name="Result Window")).to_contain_text(text)
    await page.close()
