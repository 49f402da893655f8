"""GraphiQL as a person has it: a real server, the built explorer, a real Chromium."""

import re

import pytest
from browser.chromium import RECORD_VIOLATIONS, Watch, built
from playwright.async_api import expect
from processes import servers
from processes.servers import ask

pytestmark = pytest.mark.browser

WITH_BAGS = """mutation { createUser(input: {
  emails: [{address: "ada@example.com"}]
  publicMetadata: {plan: "pro"} unsafeMetadata: {theme: "dark"} privateMetadata: {score: 1}
}) { user { id } userErrors { code } } }"""
CREATE_SESSION = "mutation ($user: ID!) { createUserSession(userId: $user) { token } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    built("explorer")
    started = servers.start(tmp_path_factory.mktemp("explorer"))
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


class Explorer:
    """The page, and what a person does with it."""

    def __init__(self, page, folder):
        self.page, self._folder = page, folder
        self.key = page.get_by_label("Secret key or session token")
        self.operation = page.get_by_role("textbox", name="Operation", exact=True)
        self.result = page.get_by_role("region", name="Result Window")
        self.watch = Watch(page)

    async def open(self, url):
        await self.page.add_init_script(RECORD_VIOLATIONS)
        answer = await self.page.goto(url)
        await self.operation.wait_for()
        return answer

    async def write(self, operation):
        """Put an operation of one line in place of what the editor holds."""
        await self.operation.focus()
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.press("Delete")  # a brace would embrace what is selected
        await self.page.keyboard.insert_text(operation)

    async def run(self):
        await self.page.get_by_role("button", name="Execute query").click()

    async def shows(self, *parts):
        """Wait until the result holds all of these; it is drawn with hard spaces."""
        for part in parts:
            pattern = re.escape(part).replace(r"\ ", r"\s*")
            await expect(self.result).to_contain_text(re.compile(pattern), timeout=15_000)

    async def picture(self, name):
        await self.page.screenshot(path=self._folder / f"{name}.png")


@pytest.fixture
async def opened(browser, server, tmp_path):
    """The explorer, opened; at the end it must have kept to its policy and to its host."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    explorer = Explorer(page, tmp_path)
    answer = await explorer.open(f"http://localhost:{server.public_port}/graphql")
    assert answer.status == 200
    yield explorer
    await explorer.picture("end")
    assert await page.evaluate("window.violations") == []
    assert explorer.watch.complaints == []
    assert {host for host in explorer.watch.hosts if host} == {f"localhost:{server.public_port}"}
    await page.close()


async def test_the_first_query_runs_for_nobody_in_particular(opened):
    await opened.picture("opened")
    await opened.run()
    await opened.shows('"me": null')


async def test_the_pages_policy_lets_nothing_else_in_sec_103(opened, server):
    answer = await opened.page.reload()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline", policy)
    await opened.operation.wait_for()
    elsewhere = f"{server.admin_url}/health/alive"
    tried = (
        "async (url) => { try { await fetch(url); return 'sent'; } catch (e) { return `${e}`; } }"
    )
    assert (await opened.page.evaluate(tried, elsewhere)).startswith("TypeError")
    blocked = await opened.page.evaluate("window.violations.splice(0)")
    assert blocked == [f"connect-src {elsewhere}"]
    opened.watch.console.clear()


async def test_with_the_secret_key_in_its_field_a_user_is_made_sec_012(opened, server):
    mutation = 'mutation { createUser(input: {username: "grace"}) { user { username } } }'
    await opened.write(mutation)
    await opened.run()
    await opened.shows('"code": "UNAUTHENTICATED"')
    await opened.key.fill(server.secret_key)
    await opened.run()
    await opened.shows('"username": "grace"')
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert server.secret_key not in await opened.page.evaluate(kept)
    assert await opened.key.get_attribute("type") == "password"


async def test_with_a_session_token_the_user_reads_two_bags_and_not_the_third(opened, server):
    made = ask(server.url, WITH_BAGS, server.secret_key)["data"]["createUser"]
    session = ask(server.url, CREATE_SESSION, server.secret_key, user=made["user"]["id"])
    await opened.key.fill(session["data"]["createUserSession"]["token"])
    await opened.write("{ me { publicMetadata unsafeMetadata } }")
    await opened.run()
    await opened.shows('"plan": "pro"', '"theme": "dark"')
    assert "errors" not in await opened.result.inner_text()
    await opened.picture("bags")
    await opened.write("{ me { privateMetadata } }")
    await opened.run()
    await opened.shows('"privateMetadata": null', '"code": "FORBIDDEN"')
    assert "score" not in await opened.result.inner_text()
    await opened.picture("forbidden")


async def test_the_documentation_opens_and_tells_what_a_field_needs(opened):
    page = opened.page
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    docs = page.locator(".graphiql-doc-explorer")
    await expect(docs).to_contain_text("A GraphQL schema provides a root type")
    await docs.get_by_role("link", name="Mutation", exact=True).click()
    await docs.get_by_role("link", name="createUser", exact=True).click()
    await expect(docs).to_contain_text("CreateUserInput")
    await opened.picture("docs")
