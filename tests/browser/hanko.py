"""The quickstart page in a browser, and what a person does with the components on it."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import struct
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from browser.chromium import RECORD_VIOLATIONS, Watch
from playwright.async_api import expect
from processes.servers import ask, until

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
SECURITY_KEY = PLATFORM | {"transport": "usb", "hasResidentKey": False}
WIDE, NARROW = {"width": 1000, "height": 900}, {"width": 390, "height": 844}

RECORD_STATES = """
const states = [];
const waiting = new Set();
const reached = (name) => states.at(-1)?.name === name && states.at(-1) === states.at(-2);
document.addEventListener("hanko-after-state-change", ({ detail: { state } }) => {
  const component = state.flowName === "profile" ? "hanko-profile" : "hanko-auth";
  if (!document.querySelector(component)) return;
  states.push(state);
  waiting.forEach((check) => check());
});
window.settled = (name) => new Promise((resolve) => {
  const check = () => reached(name) && resolve(waiting.delete(check));
  waiting.add(check);
  check();
});
"""
_CODE = re.compile(r"\b\d{6}\b")
_REFUSED = re.compile(r"error Failed to load resource: .* status of (\d{3}) \(.*\)")
_CREATE = """mutation ($username: String, $emails: [EmailInput!]!) {
  createUser(input: {username: $username, emails: $emails}) {
    user { id } userErrors { code } } }"""
_SET_PASSWORD = """mutation ($id: ID!, $password: String!) {
  setUserPassword(userId: $id, input: {password: $password}) { userErrors { code } } }"""


_BEGIN_SESSION = "mutation ($id: ID!) { createUserSession(userId: $id) { token } }"


@dataclass
class Mailbox:
    """The mailbox page of a server, read as JSON."""

    url: str
    read: set[tuple[str, str]] = field(default_factory=set)

    def newest(self, address):
        """Wait for a mail to *address* that has not been read, and read all there are."""
        return self._read(address, "")

    def code(self, address):
        """Wait for a code."""
        found = _CODE.search(self._read(address, _CODE)["text"])
        assert found
        return found[0]

    def _read(self, address, holding):
        until(lambda: self._unread(address, holding))
        unread = self._unread(address, holding)
        self.read |= {(mail["to"], mail["sent_at"]) for mail in unread}
        return unread[0]

    def _unread(self, address, holding):
        headers = {"accept": "application/json"}
        mails = httpx.get(f"{self.url}/mailbox", headers=headers).raise_for_status().json()
        fresh = (mail for mail in mails if (mail["to"], mail["sent_at"]) not in self.read)
        return [m for m in fresh if m["to"] == address and re.search(holding, m["text"])]


class Person:
    """Somebody at the quickstart page, with a browser of their own."""

    def __init__(self, page, server, mailbox):
        self.page, self.server, self.mailbox = page, server, mailbox
        self.auth, self.profile = page.locator("hanko-auth"), page.locator("hanko-profile")
        self.error = page.locator("#errorMessage")
        self.part = self.profile
        """The part of the profile that is unfolded."""
        self.watch = Watch(page)
        self.refused = []
        """The statuses of the refusals that the test has brought about, in their order."""

    @property
    def url(self):
        return f"http://localhost:{self.server.public_port}/quickstart"

    async def open(self):
        await self.page.goto(self.url)

    async def settles(self, state):
        """Wait until a component has begun.

        It shows its first page twice, the second time half a second after the first, and whatever
        a person has reached by then is gone. Nobody types that fast, but a test does. A component
        that has left the page by then still says that it shows it: that counts for nothing.
        """
        settled = self.page.evaluate("(state) => settled(state)", state)
        await asyncio.wait_for(settled, PATIENCE / 1000)

    async def open_signed_in(self, user_id):
        """Come with a session that a backend has begun."""
        answer = ask(self.server.url, _BEGIN_SESSION, self.server.secret_key, id=user_id)
        token = answer["data"]["createUserSession"]["token"]
        cookie = {"name": "hanko", "value": token, "url": self.url, "httpOnly": True}
        await self.page.context.add_cookies([cookie])
        await self.open()
        return await self.is_signed_in()

    # What they see

    async def sees(self, heading):
        await expect(self.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    async def is_told(self, text, *refused):
        """Read an error; *refused* are the statuses of the answers that led to it."""
        await expect(self.error).to_have_text(text)
        self.refused += refused

    async def is_signed_in(self):
        """Wait for the profile, and give `me` as the page shows it."""
        await self.settles("profile_init")
        await expect(self.profile.get_by_role("heading", name="Emails")).to_be_visible()
        shown = self.page.locator("#me pre").filter(has_text='"id":')  # a moment later
        return json.loads(await shown.inner_text())["me"]

    async def is_signed_out(self):
        await self.settles("login_init")
        await expect(self.page.locator("#me pre")).to_contain_text('"me": null')

    async def reads(self, text, *refused):
        """Read an error beside the field that it is about."""
        await expect(self.profile.get_by_text(text, exact=True)).to_be_visible()
        self.refused += refused

    # What they do

    async def press(self, name):
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def take(self, name):
        """Press a button of the part that is unfolded."""
        await self.part.get_by_role("button", name=name, exact=True).click()

    async def write(self, placeholder, text):
        await self.page.get_by_placeholder(placeholder, exact=True).fill(text)

    async def type_code(self, code):
        """Type a code into its boxes; the last digit sends it."""
        boxes = self.page.locator("hanko-auth, hanko-profile").locator('input[name^="passcode"]')
        await expect(boxes).to_have_count(6)
        await boxes.last.click()
        for _ in range(6):  # some pages keep a code that was wrong
            await self.page.keyboard.press("Backspace")
        async with self.page.expect_response(lambda answer: "action=" in answer.url):
            await self.page.keyboard.type(code)

    async def type_mailed_code(self, address):
        await self.sees("Enter passcode")
        await self.type_code(self.mailbox.code(address))

    async def begin_sign_up(self, address):
        await self.settles("login_init")
        await self.press("Create account")
        await self.settles("registration_init")
        await self.write("Email", address)
        await self.press("Continue")

    async def begin_sign_in(self, address):
        await self.settles("login_init")
        await self.begin_sign_in_again(address)

    async def begin_sign_in_again(self, address):
        """Give an address on a page that somebody has come back to."""
        await self.write("Email", address)
        await self.press("Continue")

    async def choose(self, method):
        await self.sees("Select login method")
        await self.press(method)

    async def set_password(self, password):
        await self.sees("Set new password")
        await self.write("New password", password)
        await self.press("Continue")

    async def give_password(self, password):
        await self.sees("Enter password")
        await self.write("Password", password)
        await self.press("Sign in")

    async def skip(self, heading):
        await self.sees(heading)
        await self.press("Skip")

    async def sign_out(self):
        await self.press("Sign out")
        await self.is_signed_out()

    async def unfold(self, label):
        """Open a part of the profile."""
        label = self.profile.locator("label", has_text=label).first
        self.part = label.locator("..")
        await label.click()

    async def delete(self):
        """Follow the link that deletes what is unfolded, and say yes."""
        await self.take("Delete")
        await self.take("yes")

    # Their devices

    @asynccontextmanager
    async def holding(self, options=PLATFORM):
        """Have an authenticator, for as long as the block lasts."""
        devtools = await self.page.context.new_cdp_session(self.page)
        await devtools.send("WebAuthn.enable")
        made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        yield Authenticator(devtools, made["authenticatorId"])
        await devtools.detach()

    async def picture(self, folder, name):
        await self.page.screenshot(path=folder / f"{name}.png", full_page=True)


@dataclass
class Authenticator:
    """An authenticator in software."""

    devtools: object
    id: str

    async def answers(self):
        """Let its owner touch it whenever it asks."""
        await self._set_presence(is_there=True)

    async def waits(self):
        """Let nobody touch it."""
        await self._set_presence(is_there=False)

    async def _set_presence(self, *, is_there):
        what = {"authenticatorId": self.id, "enabled": is_there}
        await self.devtools.send("WebAuthn.setAutomaticPresenceSimulation", what)

    async def credentials(self):
        what = {"authenticatorId": self.id}
        return (await self.devtools.send("WebAuthn.getCredentials", what))["credentials"]


NO_PASSWORDS = {
    "password123": "The entered value is invalid.",  # everybody's
    "\N{HORSE}" * 4: "The value is too short.",  # which the form counts as eight
    "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 513: "Value is too long.",  # in bytes
}
"""What the form lets pass and the server refuses, with what somebody is told."""

PATIENCE = 30_000
"""Milliseconds that a page may take to do something; it is sooner done on a quiet machine."""

expect.set_options(timeout=PATIENCE)


@asynccontextmanager
async def visiting(browser, server, viewport=WIDE, *, others=(), **options):
    """Send somebody to the page; at the end it has kept to its policy, and said nothing unasked.

    *others* are the hosts that they go to besides.
    """
    context = await browser.new_context(viewport=viewport, locale="en-GB", **options)
    context.set_default_timeout(PATIENCE)
    await context.add_init_script(RECORD_VIOLATIONS + RECORD_STATES)
    page = await context.new_page()
    person = Person(page, server, Mailbox(server.admin_url))
    await person.open()
    yield person
    assert await page.evaluate("window.violations") == []
    assert person.watch.hosts <= {"", f"localhost:{server.public_port}", *others}
    found = [(line, _REFUSED.fullmatch(line)) for line in person.watch.complaints]
    unasked = [line for line, refusal in found if not refusal]
    assert unasked == [], unasked
    statuses = [int(refusal[1]) for _, refusal in found]
    assert statuses == person.refused, statuses
    await context.close()


def user(server, address=None, *, password=None, username=None, verified=True):
    """Make a user as a backend does."""
    emails = [{"address": address, "isVerified": verified}] if address else []
    given = {"username": username, "emails": emails}
    made = ask(server.url, _CREATE, server.secret_key, **given)["data"]["createUser"]
    assert made["userErrors"] == []
    if password is not None:
        given = {"id": made["user"]["id"], "password": password}
        answer = ask(server.url, _SET_PASSWORD, server.secret_key, **given)
        assert answer["data"]["setUserPassword"]["userErrors"] == []
    return made["user"]["id"]


def totp(secret, *, ahead=0):
    """Compute the code of an authenticator app (RFC 6238), *ahead* steps from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    step = struct.pack(">Q", int(time.time()) // 30 + ahead)
    digest = hmac.digest(key, step, hashlib.sha1)
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 0xF)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def wrong_totp(secret):
    """Give a code that is none of this minute's."""
    right = {totp(secret, ahead=steps) for steps in range(-1, 3)}
    return next(code for code in (f"{digit}" * 6 for digit in range(10)) if code not in right)


async def set_up_app(person):
    """Set up an authenticator app in the profile; its secret, and the code that was shown."""
    await person.unfold("Manage authenticator app")
    await person.take("Set up")
    await person.sees("Set up authenticator app")
    secret = await secret_of(person)
    used = totp(secret)
    await person.type_code(used)
    await expect(person.profile.get_by_text("configured")).to_be_visible()
    return secret, used


async def secret_of(person):
    """Read the secret below the QR code, which must be drawn."""
    code = person.page.get_by_alt_text("QR-Code")
    await expect(code).to_be_visible()
    assert await code.evaluate("(image) => image.decode().then(() => image.naturalWidth)") >= 100
    shown = await code.locator("xpath=..").inner_text()
    return shown.split()[-1]
