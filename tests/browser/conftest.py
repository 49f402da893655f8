"""A browser, and a server with the quickstart page, for each module of tests."""

import pytest
from browser.chromium import ARGUMENTS, built, chromium
from browser.hanko import visiting
from playwright.async_api import async_playwright
from processes import servers


@pytest.fixture(scope="module")
async def browser():
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    """A server with the quickstart page; a module's SETTINGS are its environment."""
    built("quickstart")
    settings = {"RATE_LIMITER_ENABLED": "false", **getattr(request.module, "SETTINGS", {})}
    started = servers.start(tmp_path_factory.mktemp("quickstart"), **settings)
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


@pytest.fixture
async def person(browser, server):
    async with visiting(browser, server) as somebody:
        yield somebody
