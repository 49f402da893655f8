"""Telling hooks of events: what is sent, to whom, in which order, how often, and for how long."""

import asyncio
import base64
import hashlib
import hmac
import io
import json
import re
import socket
import threading
from dataclasses import replace
from datetime import timedelta

import jwt
import msgspec
import pytest
from factories import make_session, make_user, reconfigured
from federation.connectors.loopback import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from webhooks.conftest import body_of, claims_of, happen, hooked, log, receiving, told

from app import logs
from app.access import SYSTEM
from app.config.sections import EmailDelivery
from app.config.values import Secret
from app.config.webhook_sections import SUBSCRIBABLE, Hook
from app.ids import new_id
from app.keys import TokenInvalid
from app.outbound import Limits, LookUps, Outbound, Reach, Unanswered, transport
from app.persistence import fetch, transaction
from app.users import ProfileChanges
from app.webhooks import EVENTS, WebhookChanges, courier
from app.webhooks.deliveries import LEASE, pause_after
from app.webhooks.hooks import Webhook

SECRETS = ["whsec_" + base64.b64encode(bytes([n]) * 24).decode() for n in range(2)]
OURS = {"is_enabled": True, "is_configured": False}


@pytest.fixture
async def ada(services):
    user = await make_user(services, email="ada@example.com", private={"sentinelkey": 1})
    await fetch("DELETE FROM webhook_event")
    return user


def signatures(secret, asked):
    """What Standard Webhooks asks for, as its page says it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(key, signed + body_of(asked), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class TestWhatIsSent:
    async def test_an_event_is_a_token_in_a_body(self, services, ada, receiver, clock):
        """SEC-111"""
        await hooked(services, receiver)
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="ada_l"))
        assert await told(services) == 1
        (asked,) = receiver.asked
        body = json.loads(body_of(asked))
        assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
        assert body.keys() == {"token", "event"}
        assert body["event"] == "user.update.username.create"
        key = jwt.PyJWKSet.from_dict(services.signing_keys.jwks())
        header = jwt.get_unverified_header(body["token"])
        claims = jwt.decode(
            body["token"],
            key[header["kid"]],
            algorithms=[header["alg"]],
            audience=receiver.url,
            subject="hanko webhooks",
            options={"verify_iat": False, "require": ["exp", "iat", "jti", "aud"]},
        )
        assert header["typ"] == "webhook+jwt"
        assert claims["evt"] == "user.update.username.create"
        assert claims["iat"] == int(clock.now.timestamp())
        assert claims["exp"] == claims["iat"] + 300
        assert claims["aud"] == [receiver.url]
        assert claims["jti"] == asked.headers["webhook-id"]
        assert claims["data"]["id"] == str(ada.id)
        assert claims["data"]["username"]["username"] == "ada_l"
        assert "iss" not in claims
        assert "sentinel" not in json.dumps(claims)

    async def test_an_issuer_is_named_where_there_is_one(self, services, receiver):
        session = msgspec.structs.replace(services.config.session, issuer="https://id.example")
        others = await reconfigured(services, session=session)
        await hooked(others, receiver)
        await happen(others, "user.login")
        await told(others)
        assert claims_of(others, receiver.asked[0])["iss"] == "https://id.example"

    async def test_numbers_of_metadata_arrive_to_the_letter(self, services, receiver):
        await hooked(services, receiver)
        await make_user(services, public={"n": 12345678901234567890123})
        await told(services)
        token = json.loads(body_of(receiver.asked[0]))["token"]
        payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
        assert b'"n":12345678901234567890123' in payload

    async def test_the_signature_is_that_of_standard_webhooks(self, services, receiver, clock):
        """SEC-111: beside the token."""
        _, secret = await services.webhooks.create(SYSTEM, receiver.url, ("user",))
        await happen(services, "user.login")
        await told(services)
        (asked,) = receiver.asked
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
        assert asked.headers["webhook-timestamp"] == str(int(clock.now.timestamp()))
        assert asked.headers["webhook-signature"] == signatures(secret, asked)

    async def test_two_secrets_sign_until_the_grace_period_is_over(self, services, receiver, clock):
        hook, old = await services.webhooks.create(SYSTEM, receiver.url, ("user",))
        changed, new = await services.webhooks.rotate_secret(SYSTEM, hook.id, timedelta(hours=1))
        assert changed.previous_secret_ends_at == clock.now + timedelta(hours=1)
        assert old != new
        for wanted in ((new, old), (new,)):
            await happen(services, "user.login")
            await told(services)
            asked = receiver.asked[-1]
            signed = asked.headers["webhook-signature"].split(" ")
            assert signed == [signatures(one, asked) for one in wanted]
            clock.advance(hours=1)

    async def test_a_token_is_a_session_to_nobody_and_a_session_no_event(
        self, services, ada, receiver, public
    ):
        """SEC-023"""
        await hooked(services, receiver)
        await happen(services, "user.login", user_id=ada.id, id=str(ada.id))
        await told(services)
        token = json.loads(body_of(receiver.asked[0]))["token"]
        with pytest.raises(TokenInvalid):
            await services.sessions.tokens.read(token)
        assert await services.sessions.authenticate(token) == "invalid"
        assert await services.secret_keys.authenticate(token) is None
        issued = await make_session(services, ada)
        with pytest.raises(TokenInvalid):
            services.signing_keys.verify(issued.token, typ="webhook+jwt")

    async def test_the_id_stays_and_the_token_is_new_in_each_attempt(
        self, services, receiver, clock
    ):
        """SEC-111"""
        receiver.says(500, 200)
        await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        clock.advance(minutes=5)
        await told(services)
        first, second = receiver.asked
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        one, other = (claims_of(services, asked) for asked in receiver.asked)
        assert one["jti"] == other["jti"]
        assert other["iat"] == one["iat"] + 300
        assert other["exp"] == other["iat"] + 300


class TestWhoIsTold:
    async def test_a_name_stands_for_those_that_begin_with_it_and_a_dot(self, services, receiver):
        """SEC-112"""
        hook = Webhook(new_id(), "x", ("user.update", "session.create.flow"), **OURS)
        heard = [name for name in EVENTS if hook.asks_for(name)]
        assert heard == [
            *(name for name in EVENTS if name.startswith("user.update.")),
            "session.create.flow",
        ]
        assert not hook.asks_for("user.updated")
        assert not hook.asks_for("user")

    @given(st.sampled_from(sorted(SUBSCRIBABLE)), st.sampled_from(EVENTS))
    def test_segments_are_compared_and_not_letters(self, wanted, name):
        """SEC-112"""
        hook = Webhook(new_id(), "x", (wanted,), **OURS)
        asked, parts = wanted.split("."), name.split(".")
        assert hook.asks_for(name) == (parts[: len(asked)] == asked)

    async def test_each_hook_is_told_of_what_it_asked_for_and_nothing_else(self, services):
        """SEC-112"""
        async with receiving() as users, receiving() as sessions:
            await hooked(services, users, "user.login", "email")
            await hooked(services, sessions, "session")
            await happen(services, "user.login", "session.create.flow", "user.delete", "email.send")
            assert await told(services) == 3
        assert sorted(users.events) == ["email.send", "user.login"]
        assert sessions.events == ["session.create.flow"]
        kept = {row["name"] for row in await fetch("SELECT name FROM webhook_event")}
        assert kept == {"user.login", "session.create.flow", "email.send"}

    async def test_hooks_of_the_configuration_are_told_where_that_is_on(self, configured, receiver):
        hook = Hook(callback=receiver.url, events=["user"])
        again = Hook(callback=receiver.url, events=["session", "user"])
        off, on = await configured(hook, enabled=False), await configured(hook, again)
        for services, times in ((off, 0), (on, 2)):
            await happen(services, "user.login", "session.create.flow")
            assert await told(services) == times
        assert sorted(receiver.events) == ["session.create.flow", "user.login"]

    async def test_hooks_of_the_api_are_told_even_where_those_of_the_configuration_are_not(
        self, configured, receiver
    ):
        services = await configured(enabled=False)
        await hooked(services, receiver)
        await happen(services, "user.login")
        assert await told(services) == 1

    async def test_a_configured_hook_signs_with_each_of_its_secrets(self, configured, receiver):
        hook = Hook(callback=receiver.url, events=["user"], secrets=[Secret(s) for s in SECRETS])
        services = await configured(hook)
        await happen(services, "user.login")
        await told(services)
        (asked,) = receiver.asked
        signed = asked.headers["webhook-signature"].split(" ")
        assert signed == [signatures(one, asked) for one in SECRETS]

    async def test_without_a_secret_there_is_the_token_alone(self, configured, receiver):
        services = await configured(Hook(callback=receiver.url, events=["user"]))
        await happen(services, "user.login")
        await told(services)
        (asked,) = receiver.asked
        assert "webhook-signature" not in asked.headers
        assert asked.headers["webhook-id"] == claims_of(services, asked)["jti"]

    async def test_what_has_happened_before_is_told_to_no_new_hook(self, services, receiver, clock):
        await happen(services, "user.login")
        clock.advance(seconds=1)
        await hooked(services, receiver)
        assert await told(services) == 0
        assert await fetch("SELECT id FROM webhook_event") == []

    async def test_what_nobody_asks_for_is_not_kept(self, services):
        await happen(services, "user.login", "user.delete")
        assert await told(services) == 0
        assert await fetch("SELECT id FROM webhook_event") == []

    async def test_a_disabled_hook_is_not_told(self, services, receiver):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await services.dispatch.spread()
        await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=False))
        assert await told(services) == 0
        await happen(services, "user.login")
        await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=True))
        assert await told(services) == 2

    async def test_a_code_that_somebody_else_is_to_mail_is_told(self, services, receiver, clock):
        """SEC-043, SEC-112"""
        others = await reconfigured(services, email_delivery=EmailDelivery(enabled=False))
        await hooked(others, receiver, "email.send")
        ends = clock.now + timedelta(minutes=5)
        send = others.mail.send
        await send("login", "ada@example.com", "en", {"code": "483921"}, expires_at=ends)
        await told(others)
        data = claims_of(others, receiver.asked[0])["data"]
        assert data["data"]["otp_code"] == "483921"
        assert data["delivered_by_hanko"] is False

    async def test_a_code_is_not_told_when_it_has_ended(self, services, receiver, clock):
        """SEC-043"""
        receiver.says(500)
        others = await reconfigured(services, email_delivery=EmailDelivery(enabled=False))
        await hooked(others, receiver, "email.send")
        ends = clock.now + timedelta(minutes=5)
        send = others.mail.send
        await send("login", "ada@example.com", "en", {"code": "483921"}, expires_at=ends)
        await told(others)
        clock.advance(minutes=6)
        await told(others)
        assert len(receiver.asked) == 1
        assert [(one["state"], one["outcome"]) for one in await log()] == [("failed", "expired")]


class TestOnceAtLeast:
    """SEC-133"""

    async def test_what_is_undone_is_told_to_nobody(self, services, receiver):
        await hooked(services, receiver)
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await happen(services, "user.login")
                _ = 1 / 0
        assert await told(services) == 0

    async def test_who_dies_between_the_answer_and_its_note_leads_to_a_second_attempt(
        self, services, receiver, clock, monkeypatch
    ):
        """SEC-133"""
        await hooked(services, receiver)
        await happen(services, "user.login")

        async def die(*_):
            raise asyncio.CancelledError

        with monkeypatch.context() as dying:
            dying.setattr(type(services.dispatch.deliveries), "settle", die)
            with pytest.raises(asyncio.CancelledError):
                await told(services)
        assert await told(services) == 0
        clock.advance(seconds=LEASE.total_seconds())
        assert await told(services) == 1
        one, other = receiver.asked
        assert one.headers["webhook-id"] == other.headers["webhook-id"]
        assert [row["state"] for row in await log()] == ["delivered"]

    async def test_who_comes_back_too_late_notes_nothing(self, services, receiver, clock):
        """SEC-133"""
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        dispatch = services.dispatch
        await dispatch.spread()
        slow = await dispatch.deliveries.take(hook.id)
        target = await services.webhooks.hooks.target(hook.id)
        clock.advance(seconds=LEASE.total_seconds())
        quick = await dispatch.deliveries.take(hook.id)
        assert quick.id == slow.id
        assert quick.attempts == 2
        assert (await dispatch._deliver(target, slow)).state is None
        assert (await dispatch._deliver(target, quick)).state == "delivered"

    async def test_an_event_whose_spreading_is_undone_is_spread_again(
        self, services, receiver, monkeypatch
    ):
        await hooked(services, receiver)
        await happen(services, "user.login")

        async def fail(*_, **__):
            raise ZeroDivisionError

        with monkeypatch.context() as failing:
            failing.setattr(type(services.dispatch.deliveries), "put", fail)
            with pytest.raises(ZeroDivisionError):
                await services.dispatch.spread()
        assert await told(services) == 1


class TestOrder:
    """SEC-133"""

    async def test_events_of_a_user_come_in_their_order_though_one_fails(
        self, services, receiver, clock
    ):
        """SEC-133"""
        receiver.says(500, 200)
        await hooked(services, receiver)
        names = ["user.create", "user.update.email.create", "user.login", "user.delete"]
        await happen(services, *names, user_id=new_id())
        assert await told(services) == 1
        assert await told(services) == 0
        clock.advance(seconds=5)
        assert await told(services) == 4
        assert receiver.events == ["user.create", *names]

    async def test_while_one_is_under_way_no_other_of_its_user_is_taken(self, services, receiver):
        """SEC-133"""
        hook = await hooked(services, receiver)
        ada, eve = new_id(), new_id()
        for user_id in (ada, ada, eve, None, None):
            await happen(services, "user.login", user_id=user_id)
        await services.dispatch.spread()
        take = services.dispatch.deliveries.take
        taken = [await take(hook.id) for _ in range(6)]
        assert [one and one.user_id for one in taken] == [ada, eve, None, None, None, None]
        assert [one is None for one in taken] == [False] * 4 + [True] * 2

    async def test_a_user_whose_event_is_refused_holds_up_nobody_else(
        self, services, receiver, clock
    ):
        """SEC-133"""
        receiver.says(500, 200)
        await hooked(services, receiver)
        ada, eve = new_id(), new_id()
        await happen(services, "user.login", "user.delete", user_id=ada)
        await happen(services, "user.login", "user.delete", user_id=eve)
        assert await told(services) == 3
        clock.advance(seconds=5)
        assert await told(services) == 2

    async def test_each_hook_has_an_order_of_its_own(self, services):
        """SEC-133"""
        async with receiving() as good, receiving() as bad:
            bad.says(500)
            for one in (good, bad):
                await hooked(services, one)
            await happen(services, "user.login", "user.delete", user_id=new_id())
            await told(services)
        assert good.events == ["user.login", "user.delete"]
        assert bad.events == ["user.login"]

    @settings(max_examples=15)
    @given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12))
    async def test_whatever_fails_each_user_is_told_of_in_order(self, services, clock, plan):
        """SEC-133"""
        users = [new_id() for _ in range(3)]
        await fetch("DELETE FROM webhook_delivery")
        await fetch("DELETE FROM webhook")
        async with receiving() as there:
            await hooked(services, there)
            for number, (user, fails) in enumerate(plan):
                await happen(services, "user.login", user_id=users[user], n=number)
                there.answers.insert(0, Reply(status=500 if fails else 200))
            for _ in range(len(plan) + 1):
                await told(services)
                clock.advance(minutes=5)
        done = {}
        for asked in there.asked:
            number = claims_of(services, asked)["data"]["n"]
            done.setdefault(plan[number][0], []).append(number)
        for user, numbers in done.items():
            seen = list(dict.fromkeys(numbers))
            assert seen == [n for n, (one, _) in enumerate(plan) if one == user]
            assert numbers == sorted(numbers)


class TestTryingAgain:
    def test_pauses_grow_to_five_minutes_and_never_beyond(self):
        """SEC-133"""
        for attempts in (1, 2, 3, 6, 7, 8, 300, 100_000):
            whole = min(5.0 * 2 ** min(attempts - 1, 10), 300.0)
            pauses = [pause_after(attempts).total_seconds() for _ in range(50)]
            assert all(0.6 * whole <= one <= whole for one in pauses)
            assert len(set(pauses)) > 1
        assert pause_after(300) <= timedelta(minutes=5)

    @pytest.mark.parametrize("status", [301, 400, 404, 410, 429, 500, 503])
    async def test_what_is_not_taken_is_tried_again_and_no_redirect_followed(
        self, services, receiver, clock, status
    ):
        """SEC-110, SEC-133"""
        location = f"Location: {receiver.there.url}/elsewhere"
        receiver.answers[:] = [Reply(status=status, headers=(location,)), Reply(status=204)]
        await hooked(services, receiver)
        await happen(services, "user.login")
        assert await told(services) == 1
        (row,) = await log()
        assert (row["state"], row["outcome"], row["status"]) == ("waiting", "refused", status)
        assert clock.now + timedelta(seconds=3) <= row["due_at"] <= clock.now + timedelta(seconds=5)
        clock.advance(seconds=5)
        assert await told(services) == 1
        (row,) = await log()
        assert (row["state"], row["outcome"], row["status"]) == ("delivered", "delivered", 204)
        assert row["settled_at"] == clock.now
        assert receiver.there.count("/elsewhere") == 0

    async def test_after_an_outage_all_is_told_within_six_minutes(self, services, receiver, clock):
        """SEC-133"""
        receiver.says(503)
        await hooked(services, receiver)
        for _ in range(3):
            await happen(services, "user.login", user_id=new_id())
        for _ in range(int(23.9 * 12)):
            await told(services)
            clock.advance(minutes=5)
        receiver.says(200)
        before = len(receiver.asked)
        for _ in range(6):
            await told(services)
            clock.advance(minutes=1)
        assert len(receiver.asked) - before == 3
        assert {row["state"] for row in await log()} == {"delivered"}

    async def test_after_a_day_it_is_given_up_and_who_follows_is_told(
        self, services, receiver, clock
    ):
        """SEC-133"""
        receiver.says(500)
        await hooked(services, receiver)
        ada = new_id()
        await happen(services, "user.login", user_id=ada)
        await told(services)
        for _ in range(24 * 12 - 1):
            clock.advance(minutes=5)
            assert await told(services) == 1
        clock.advance(minutes=4)
        await happen(services, "user.delete", user_id=ada)
        clock.advance(minutes=1)
        await told(services)
        first, _ = await log()
        assert (first["state"], first["outcome"]) == ("failed", "refused")
        receiver.says(200)
        clock.advance(minutes=5)
        await told(services)
        assert receiver.events[-1] == "user.delete"

    async def test_a_receiver_that_is_not_there_is_tried_again(self, services, clock):
        async with receiving() as there:
            url = there.url
        await hooked(services, url)
        await happen(services, "user.login")
        assert await told(services) == 1
        (row,) = await log()
        assert (row["state"], row["outcome"], row["status"]) == ("waiting", "unanswered", None)

    @pytest.mark.parametrize(
        "reply",
        [Reply(b"x" * (64 * 1024 + 1)), Reply(headers=("Content-Encoding: gzip",))],
        ids=["long", "compressed"],
    )
    async def test_an_answer_that_is_too_long_is_none(self, services, receiver, reply):
        """SEC-110: 64 KiB at most."""
        receiver.answers[:] = [reply]
        await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        assert [row["outcome"] for row in await log()] == ["unanswered"]

    async def test_a_receiver_that_keeps_silent_is_left_after_its_time(
        self, services, receiver, monkeypatch
    ):
        """SEC-110: 10 seconds at most; here they are shorter."""
        assert Limits(seconds=10, size=64 * 1024) == courier.LIMITS
        monkeypatch.setattr(courier, "LIMITS", Limits(seconds=0.05, size=1000))
        receiver.answers[:] = [Reply(stalls=True)]
        await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        assert [row["outcome"] for row in await log()] == ["unanswered"]

    async def test_hooks_whose_names_hang_hold_up_no_other_sec_133(
        self, services, receiver, monkeypatch
    ):
        """SEC-133: not even where more of them hang than there were ever threads."""
        let_go, real = threading.Event(), socket.getaddrinfo

        def look_up(host, *given, **named):
            if host.endswith(".dead.test"):
                let_go.wait()
            return real("127.0.0.1", *given, **named)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        dead = [await hooked(services, f"https://{n}.dead.test/") for n in range(20)]
        try:
            await happen(services, "user.login")
            await services.dispatch.spread()
            with monkeypatch.context() as patch:
                patch.setattr(courier, "LIMITS", Limits(seconds=0.05))
                for hook in dead:
                    await services.dispatch.deliver_next(hook.id)
            live = [
                await hooked(services, receiver),
                await hooked(services, receiver.url.replace("127.0.0.1", "localhost")),
            ]
            await happen(services, "user.logout")
            await services.dispatch.spread()
            for hook in live:
                await services.dispatch.deliver_next(hook.id)
        finally:
            let_go.set()
        assert receiver.events == ["user.logout"] * 2
        tried = [row["outcome"] for row in await log() if row["event"] == "user.login"]
        assert tried == ["unanswered"] * 20

    async def test_others_whose_names_hang_hold_up_no_hook_sec_133(
        self, services, receiver, monkeypatch
    ):
        """SEC-133: providers and callbacks have look-ups of their own."""
        monkeypatch.setattr(transport, "_look_ups", LookUps(most=0))
        url, others = receiver.url.replace("127.0.0.1", "localhost"), Outbound.of(services.config)
        with pytest.raises(Unanswered):
            await others.client.get(url)
        await others.close()
        await hooked(services, url)
        await happen(services, "user.login")
        await told(services)
        assert receiver.events == ["user.login"]

    async def test_nothing_of_an_answer_is_kept(self, services, receiver):
        """SEC-116"""
        receiver.answers[:] = [Reply(b"sentinel", status=500)]
        await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        assert "sentinel" not in str(await log())

    async def test_no_log_tells_where_it_was_sent_or_what(self, services, receiver):
        """SEC-116: a callback may hold a secret."""
        stream = io.StringIO()
        logs.configure("DEBUG", stream)
        try:
            await hooked(services, f"{receiver.url}?token=sentinel")
            await happen(services, "user.login", name="sentinel")
            await told(services)
        finally:
            logs.configure("ERROR")
        assert len(receiver.asked) == 1
        assert '"webhook delivered"' in stream.getvalue()
        assert "sentinel" not in stream.getvalue()


class TestAddresses:
    """SEC-110"""

    def reaching(self, services, *answers):
        """Services whose names lead where a test says, each look-up to the next address."""
        left = list(answers)

        async def resolve(host, port):
            return [left.pop(0)] if left else []

        ours = replace(services.dispatch.courier, reach=Reach(), resolve=resolve)
        return replace(services, dispatch=replace(services.dispatch, courier=ours)), left

    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "224.0.0.1", "0.0.0.0"),  # noqa: S104
            *("::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
        ],
    )
    async def test_a_name_that_leads_inside_is_not_called(self, services, address):
        """SEC-110"""
        others, left = self.reaching(services, address)
        await hooked(others, "https://hooks.example.com/x")
        await happen(others, "user.login")
        await told(others)
        assert left == []
        assert [row["outcome"] for row in await log()] == ["address_refused"]

    async def test_a_name_is_looked_up_once_in_each_attempt_and_that_address_called(
        self, services, clock
    ):
        """SEC-110"""
        others, left = self.reaching(services, "10.0.0.1", "10.0.0.2", "10.0.0.3")
        await hooked(others, "https://hooks.example.com/x")
        await happen(others, "user.login")
        for rest in (2, 1, 0):
            await told(others)
            assert len(left) == rest
            clock.advance(minutes=5)

    async def test_nothing_is_sent_in_the_clear_in_production(self, services, receiver):
        """SEC-110"""
        hook = await hooked(services, receiver)
        ours = replace(services.dispatch.courier, https_only=True)
        others = replace(services, dispatch=replace(services.dispatch, courier=ours))
        await happen(others, "user.login")
        await told(others)
        assert receiver.asked == []
        assert [row["outcome"] for row in await log()] == ["address_refused"]
        assert hook.is_enabled

    async def test_a_name_that_is_none_is_an_attempt_like_any_other(self, services):
        await hooked(services, f"https://{'a' * 64}.example/x")
        await happen(services, "user.login")
        assert await told(services) == 1
        assert [row["outcome"] for row in await log()] == ["unanswered"]
