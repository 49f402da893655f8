"""Random walks: whatever way a login takes, nobody is signed in who has not shown what is asked.

The walker knows the right password, code and so on, and uses them or wrong ones as it likes. What
it has shown it writes down, and takes back where the flow goes back.
"""

import itertools
import random
import re

import pytest
from credentials.authenticator import UP, UV
from flows.people import ADA, PASSWORD, audited, otp, person, with_passkey, with_totp
from flows.walking import RestClient, deliver

from app.flows.definitions import FLOWS
from app.persistence import fetch

NEW = "an umbrella for tomorrow"
STEPS = 30
_CODE = re.compile(r"\b(\d{6})\b")
HAVING = list(itertools.product((True, False), repeat=3))
"""A password, an authenticator app, a passkey."""


class Walker:
    """Takes any offered action, with inputs that are right or wrong, and remembers what it did."""

    def __init__(self, client, services, chance, secret, authenticator):
        self.client, self.services, self.chance = client, services, chance
        self.secret, self.authenticator = secret, authenticator
        self.shown = None
        self.proved = set()
        self.past = []
        self.password = PASSWORD
        self.trail = []

    async def begin(self, *, webauthn):
        await self.client.start("login")
        self.shown = await self.client.act(
            "register_client_capabilities",
            webauthn_available=webauthn,
            webauthn_conditional_mediation_available=webauthn,
            webauthn_platform_authenticator_available=webauthn,
        )

    async def step(self):
        before, proved = self.shown, set(self.proved)
        action = self.chance.choice(sorted(before.actions))
        inputs, proves = await self._inputs(action)
        self.shown = await self.client.act(action, **inputs)
        self.trail.append((before.name, action, self.shown.name))
        assert self.shown.error != "technical_error", (before, action, inputs)
        if action == "back":
            self.proved = self.past.pop()
        elif self.shown.name != before.name:
            self.past.append(proved)
        if proves and self.shown.error is None:
            self.proved |= proves
        return action

    async def _inputs(self, action):
        """Inputs for an action, and what they prove where they are taken."""
        right = self.chance.random() < 0.7
        inputs, proves = {}, set()
        match action:
            case "continue_with_login_identifier":
                inputs = {"email": ADA if right else "eve@example.com"}
            case "password_login":
                inputs, proves = {"password": self.password if right else "wrong"}, {"first"}
            case "verify_passcode":
                inputs, proves = {"code": await self._code() if right else "000000"}, {"first"}
            case "otp_code_validate":
                self.services.clock.advance(seconds=30)
                code = otp(self.services, self.secret) if right and self.secret else "000000"
                inputs, proves = {"otp_code": code}, {"second"}
            case "webauthn_verify_assertion_response":
                inputs, proves = self._assertion()
            case "password_recovery" | "register_password":
                self.password = NEW if right else self.password
                inputs = {"new_password": NEW if right else "short"}
        return inputs, proves

    async def _code(self):
        """The newest code that was mailed to anybody."""
        found = (_CODE.search(mail.text) for mail in await deliver(self.services))
        return next((one[1] for one in found if one), "000000")

    def _assertion(self):
        options = self.shown.payload.get("request_options")
        if options is None or self.authenticator is None:
            return {"assertion_response": {}}, set()
        verified = self.chance.random() < 0.5
        flags = UP | UV if verified else UP
        assertion = self.authenticator.get(options["publicKey"], flags=flags)
        led_here = ("login_security_key", "webauthn_generate_request_options", "login_passkey")
        is_second = self.trail[-1:] == [led_here]
        proves = {"second"} if is_second else {"first", "second"} if verified else {"first"}
        return {"assertion_response": assertion}, proves


@pytest.mark.one_database
@pytest.mark.parametrize(("has_password", "has_totp", "has_passkey"), HAVING)
@pytest.mark.parametrize("webauthn", [True, False])
async def test_no_way_leads_around_what_an_account_asks_for_sec_032_038(  # noqa: PLR0917
    public, services, has_password, has_totp, has_passkey, webauthn
):
    """SEC-032, SEC-038: and no way leads into a step that fails."""
    account = await person(services, password=PASSWORD if has_password else None)
    secret = await with_totp(services, account) if has_totp else None
    authenticator = await with_passkey(services, account) if has_passkey else None
    chance = random.Random(f"{has_password}{has_totp}{has_passkey}{webauthn}")  # noqa: S311  # a walk
    ends, password = set(), PASSWORD
    for _ in range(12):
        walker = Walker(RestClient(public), services, chance, secret, authenticator)
        walker.password = password
        await walker.begin(webauthn=webauthn)
        for _ in range(STEPS):
            if not walker.shown.actions:
                break
            await walker.step()
            began = walker.shown.name == "success"
            assert (walker.shown.token is not None) == began
            if began:
                assert "first" in walker.proved
                assert not has_totp or "second" in walker.proved, walker.trail
        password = walker.password
        ends.add(walker.shown.name)
        services.clock.advance(minutes=1)
    assert len(await fetch("SELECT id FROM user_session")) <= services.config.session.limit
    assert len(await audited("login_success")) == len(await audited("session_created"))
    assert ends <= {state.name for state in FLOWS["login"].actions}


async def test_the_walker_finds_its_way(public, services):
    """A walk that never got anywhere would prove nothing."""
    await person(services)
    seen = set()
    for seed in range(12):
        walker = Walker(RestClient(public), services, random.Random(seed), None, None)  # noqa: S311
        await walker.begin(webauthn=False)
        for _ in range(STEPS):
            if not walker.shown.actions:
                break
            await walker.step()
            seen.add(walker.shown.name)
    assert {"success", "login_password", "passcode_confirmation"} <= seen
