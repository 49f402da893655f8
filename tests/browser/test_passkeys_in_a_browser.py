"""Passkeys as a person has them: a real server, a real Chromium, an authenticator in software.

The page knows nothing of bytes: what the server gives goes into the browser's own parsers, and what
the browser gives goes to the server as it is.
"""

import pytest
from browser.hanko import PLATFORM as AUTHENTICATOR
from browser.hanko import SECURITY_KEY
from processes import servers
from processes.servers import ask

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8"><title>Passkeys</title>
<script>
const post = async (path, body, token) => {
  const headers = {"content-type": "application/json"};
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
  return {status: answer.status, body: await answer.json()};
};
const register = async (token, wanted = {}) => {
  const begun = await post("/webauthn/registration/initialize", wanted, token);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.body);
  const made = await navigator.credentials.create({publicKey});
  return post("/webauthn/registration/finalize", made.toJSON(), token);
};
const signIn = async () => {
  const begun = await post("/webauthn/login/initialize", {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.body);
  const shown = (await navigator.credentials.get({publicKey})).toJSON();
  const answer = await post("/webauthn/login/finalize", shown);
  return {...answer, again: await post("/webauthn/login/finalize", shown)};
};
const me = async () => (await fetch("/me")).json();
</script>"""
CREATE_USER = """mutation { createUser(input: {emails: [{address: "ada@example.com"}]}) {
  user { id } } }"""
CREATE_SESSION = "mutation ($user: ID!) { createUserSession(userId: $user) { token } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = servers.start(tmp_path_factory.mktemp("passkeys"))
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


@pytest.fixture
async def page(browser, server):
    """A page on the server's own origin."""
    context = await browser.new_context()
    opened = await context.new_page()
    url = f"http://localhost:{server.public_port}/page"
    await opened.route(url, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    await opened.goto(url)
    yield opened
    await context.close()


@pytest.fixture
async def devtools(page):
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    return session


async def plugged_in(devtools, options):
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return added["authenticatorId"]


@pytest.fixture(scope="module")
def ada(server):
    """A user's id, and the token of a session."""
    made = ask(server.url, CREATE_USER, server.secret_key)["data"]["createUser"]["user"]
    session = ask(server.url, CREATE_SESSION, server.secret_key, user=made["id"])
    return made["id"], session["data"]["createUserSession"]["token"]


async def test_a_person_makes_a_passkey_and_signs_in_with_it_sec_044(page, devtools, ada):
    user_id, token = ada
    await plugged_in(devtools, AUTHENTICATOR)
    made = await page.evaluate("(token) => register(token)", token)
    assert (made["status"], made["body"]["mfa_only"]) == (201, False)
    assert made["body"]["transports"] == ["internal"]
    assert (await page.evaluate("me()"))["error"]["code"] == "unauthenticated"
    entered = await page.evaluate("signIn()")
    assert entered["status"] == 200
    assert entered["body"] == {"user_id": user_id, "credential_id": made["body"]["id"]}
    assert entered["again"]["body"]["error"]["code"] == "passkey_invalid"
    assert (await page.evaluate("me()"))["user_id"] == user_id


async def test_what_a_person_has_is_not_made_twice(page, devtools, ada):
    await plugged_in(devtools, AUTHENTICATOR)
    token = ada[1]
    assert (await page.evaluate("(token) => register(token)", token))["status"] == 201
    caught = "(token) => register(token).catch((error) => error.name)"
    assert await page.evaluate(caught, token) == "InvalidStateError"


async def test_a_security_key_is_made_and_does_not_sign_in_sec_048(page, devtools, ada):
    await plugged_in(devtools, SECURITY_KEY)
    made = await page.evaluate("(token) => register(token, {mfa_only: true})", ada[1])
    assert (made["status"], made["body"]["mfa_only"]) == (201, True)
    assert made["body"]["transports"] == ["usb"]
    assert made["body"]["attestation_type"] == "packed"
