"""Hooks: made, changed, deleted, disabled; their log, and telling them again."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from factories import key_actor, reconfigured, with_config
from hypothesis import given, settings
from hypothesis import strategies as st
from webhooks.conftest import claims_of, happen, hooked, log, told

from app import sweeping, upkeep
from app.access import SCOPES, SYSTEM
from app.assembly import assemble
from app.config.sections import Audit, AuditStorage
from app.config.values import Secret
from app.config.webhook_sections import Hook
from app.errors import ScopeMissing
from app.ids import new_id
from app.keys import KeysUnreadable, Sealer
from app.paging import PageRequest, Position
from app.persistence import DatabaseUnavailable, fetch, in_transaction
from app.webhooks import WebhookChanges
from app.webhooks.errors import (
    DeliveryNotFound,
    WebhookConfigured,
    WebhookDisabled,
    WebhookInvalid,
    WebhookLimitReached,
    WebhookNotFound,
)

URL = "https://hooks.example.com/in?token=sentinel"
OLD = [Secret("an old secret of the tests")]


@pytest.fixture
async def audited(services):
    """Services whose audit records are kept."""
    kept = Audit(storage=AuditStorage(enabled=True))
    return await reconfigured(services, audit_log=kept)


async def audit(kind="webhook"):
    rows = await fetch("SELECT * FROM audit_event ORDER BY at, id")
    return [dict(row) for row in rows if row["type"].startswith(kind)]


def every(page):
    return list(page.items)


class TestMaking:
    async def test_a_hook_is_made_with_a_secret_that_is_shown_once(self, services, clock):
        hook, secret = await services.webhooks.create(SYSTEM, URL, ("user", "email.send"))
        assert secret.startswith("whsec_")
        assert (hook.callback, hook.events) == (URL, ("user", "email.send"))
        assert hook.is_enabled
        assert not hook.is_configured
        assert hook.expires_at == clock.now + timedelta(days=30)
        assert await services.webhooks.listed() == [hook]
        assert await services.webhooks.get(hook.id) == hook
        assert secret not in str(hook)

    async def test_who_reads_the_database_reads_no_secret(self, services):
        """SEC-119"""
        hook, secret = await services.webhooks.create(SYSTEM, URL, ("user",))
        _, second = await services.webhooks.rotate_secret(SYSTEM, hook.id, timedelta(hours=1))
        (row,) = await fetch("SELECT * FROM webhook")
        assert secret not in str(dict(row))
        assert second not in str(dict(row))
        with pytest.raises(KeysUnreadable):
            services.events.sealer.open(row["sealed_secret"], f"webhook:{new_id()}")

    @pytest.mark.parametrize(
        "callback",
        [
            *("", "hooks.example.com", "/in", "ftp://hooks.example.com/", "https:///in"),
            *("https://a:b@hooks.example.com/", "https://hooks.example.com/#a", "https://[::1"),
            *("https://hooks.example.com/a b", "https://hooks.example.com/\n", "https://a:0/"),
            *("https://a:99999/", "https://hooks.example.com/" + "a" * 2048),
            *("https://10.0.0.1/", "http://169.254.169.254/latest", "https://[fd00::1]/"),
            *("https://[::ffff:10.0.0.1]/", "http://1.1.1.1/"),
        ],
    )
    async def test_a_callback_that_cannot_be_is_refused(self, services, callback):
        """SEC-110"""
        with pytest.raises(WebhookInvalid) as refused:
            await services.webhooks.create(SYSTEM, callback, ("user",))
        assert refused.value.path == ("callback",)
        assert await services.webhooks.listed() == []

    @given(st.text(max_size=60))
    @settings(max_examples=50)
    async def test_whatever_the_callback_it_is_taken_or_refused(self, services, text):
        try:
            hook, _ = await services.webhooks.create(SYSTEM, f"https://{text}", ("user",))
        except WebhookInvalid:
            return
        await services.webhooks.delete(SYSTEM, hook.id)
        taken = urlsplit(hook.callback)
        assert taken.hostname
        assert (taken.scheme, taken.username, taken.password) == ("https", None, None)
        assert "#" not in hook.callback

    @pytest.mark.parametrize(
        "events",
        [
            (),
            ("users",),
            ("user.",),
            ("user", "user"),
            ("*",),
            ("ping",),
            ("USER",),
            ("user login",),
        ],
    )
    async def test_an_event_that_there_is_not_is_refused(self, services, events):
        """SEC-112"""
        with pytest.raises(WebhookInvalid) as refused:
            await services.webhooks.create(SYSTEM, URL, events)
        assert refused.value.path == ("events",)

    async def test_mails_are_told_for_who_may_be_any_user_alone(self, services):
        """SEC-015: a mail holds the code that signs its user in."""
        narrow = await key_actor(services, *(set(SCOPES) - {"sessions:write"}))
        for events in (("email",), ("email.send",), ("user", "email.send")):
            with pytest.raises(ScopeMissing) as refused:
                await services.webhooks.create(narrow, URL, events)
            assert refused.value.required == ("webhooks:write", "sessions:write")
        assert await services.webhooks.listed() == []
        await services.webhooks.create(narrow, URL, ("user", "session"))
        both = await key_actor(services, "webhooks:write", "sessions:write")
        hook, _ = await services.webhooks.create(both, URL, ("email",))
        assert hook.events == ("email",)

    async def test_there_are_fifty_at_most(self, services):
        for n in range(50):
            await hooked(services, f"{URL}{n}")
        with pytest.raises(WebhookLimitReached):
            await hooked(services, URL)

    async def test_in_production_a_callback_is_https(self, services):
        """SEC-110"""
        others = assemble(with_config(services, environment="production", secret_keys=OLD))
        with pytest.raises(WebhookInvalid):
            await hooked(others, "http://hooks.example.com/")
        await hooked(others, URL)


class TestChanging:
    @pytest.mark.parametrize(
        ("events", "changes"),
        [
            (("user",), WebhookChanges(events=("email",))),
            (("user",), WebhookChanges(events=("user", "email.send"))),
            (("email.send",), WebhookChanges(callback=f"{URL}/elsewhere")),
            (("email",), WebhookChanges(callback=f"{URL}/elsewhere", events=("user",))),
            (("email",), WebhookChanges(events=("user",))),
            (("email",), WebhookChanges(is_enabled=True)),
        ],
    )
    async def test_a_hook_of_mails_changes_for_who_may_be_any_user_alone(
        self, services, events, changes
    ):
        """SEC-015: what waits, codes among it, goes to the new callback."""
        hook = await hooked(services, URL, *events)
        narrow = await key_actor(services, *(set(SCOPES) - {"sessions:write"}))
        with pytest.raises(ScopeMissing):
            await services.webhooks.update(narrow, hook.id, changes)
        assert await services.webhooks.get(hook.id) == hook
        both = await key_actor(services, "webhooks:write", "sessions:write")
        assert (await services.webhooks.update(both, hook.id, changes)).is_enabled
        await services.webhooks.delete(narrow, hook.id)

    async def test_what_is_left_out_stays(self, services, clock):
        hook = await hooked(services, URL)
        clock.advance(days=1)
        changed = await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(events=("email",)))
        assert (changed.callback, changed.events, changed.is_enabled) == (URL, ("email",), True)
        assert changed.updated_at == clock.now
        assert changed.expires_at == clock.now + timedelta(days=30)

    async def test_a_change_that_cannot_be_changes_nothing(self, services):
        hook = await hooked(services, URL)
        for changes in (WebhookChanges(callback="x"), WebhookChanges(events=())):
            with pytest.raises(WebhookInvalid):
                await services.webhooks.update(SYSTEM, hook.id, changes)
        assert await services.webhooks.get(hook.id) == hook

    async def test_who_disables_one_is_the_reason(self, services):
        hook = await hooked(services, URL)
        update = services.webhooks.update
        off = await update(SYSTEM, hook.id, WebhookChanges(is_enabled=False))
        assert (off.is_enabled, off.disabled_reason) == (False, "operator")
        on = await update(SYSTEM, hook.id, WebhookChanges(is_enabled=True))
        assert (on.is_enabled, on.disabled_reason) == (True, None)

    async def test_however_long_its_log_is_a_hook_can_be_deleted(
        self, services, receiver, monkeypatch
    ):
        """Its log goes when the hook is gone, a part at a time."""
        hook, other = await hooked(services, receiver), await hooked(services, receiver)
        await happen(services, *["user.login"] * 5)
        await services.dispatch.spread()
        monkeypatch.setattr(sweeping, "AT_ONCE", 2)
        parts = []

        async def counted(*asked):
            found = await fetch(*asked)
            parts.append((len(found), in_transaction()))
            return found

        monkeypatch.setattr(sweeping, "fetch", counted)
        await services.webhooks.delete(SYSTEM, hook.id)
        assert parts == [(2, False), (2, False), (1, False)]
        assert [row["webhook_id"] for row in await log()] == [other.id] * 5

    async def test_an_interrupted_deletion_loses_nothing_unsaid(
        self, audited, receiver, clock, monkeypatch
    ):
        """SEC-118, SEC-133: before the record nothing that waits is gone, and after it the hook."""
        hook = await hooked(audited, receiver)
        await happen(audited, *["user.login"] * 5)
        await audited.dispatch.spread()

        async def fail(*_, **__):
            raise DatabaseUnavailable

        with monkeypatch.context() as away:
            away.setattr(type(audited.audit), "record", fail)
            with pytest.raises(DatabaseUnavailable):
                await audited.webhooks.delete(SYSTEM, hook.id)
        assert (await audited.webhooks.get(hook.id)).is_enabled
        assert len(await log()) == 5
        parts = [fetch]

        async def once(*asked):
            return await (parts.pop() if parts else fail)(*asked)

        with monkeypatch.context() as away:
            away.setattr(sweeping, "AT_ONCE", 2)
            away.setattr(sweeping, "fetch", once)
            with pytest.raises(DatabaseUnavailable):
                await audited.webhooks.delete(SYSTEM, hook.id)
        assert await audited.webhooks.listed() == []
        assert [one["subject_id"] for one in await audit("webhook_deleted")] == [hook.id]
        assert await told(audited) == 0
        assert len(await log()) == 3
        clock.advance(days=4)
        await audited.dispatch.sweep()
        assert await log() == []

    async def test_a_deleted_hook_is_gone_with_its_log(self, services, receiver):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await services.dispatch.spread()
        await services.webhooks.delete(SYSTEM, hook.id)
        assert await services.webhooks.listed() == []
        assert await log() == []
        assert await told(services) == 0

    async def test_what_is_not_there_is_not_found(self, services):
        nobody, webhooks, dispatch = new_id(), services.webhooks, services.dispatch
        for refused in (
            webhooks.get(nobody),
            webhooks.update(SYSTEM, nobody, WebhookChanges()),
            webhooks.delete(SYSTEM, nobody),
            webhooks.rotate_secret(SYSTEM, nobody, timedelta(0)),
            dispatch.ping(SYSTEM, nobody),
            dispatch.page(nobody, PageRequest()),
            dispatch.replay_all(SYSTEM, [], failed_of=nobody),
        ):
            with pytest.raises(WebhookNotFound):
                await refused
        for refused in (dispatch.delivery(nobody), dispatch.replay(SYSTEM, nobody)):
            with pytest.raises(DeliveryNotFound):
                await refused

    async def test_a_hook_of_the_configuration_is_changed_there(self, configured):
        services = await configured(Hook(callback=URL, events=["user"]))
        (hook,) = await services.webhooks.listed()
        assert (hook.is_configured, hook.is_enabled, hook.events) == (True, True, ("user",))
        webhooks = services.webhooks
        for refused in (
            webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=False)),
            webhooks.delete(SYSTEM, hook.id),
            webhooks.rotate_secret(SYSTEM, hook.id, timedelta(0)),
        ):
            with pytest.raises(WebhookConfigured):
                await refused

    async def test_a_hook_of_the_configuration_keeps_its_id(self, configured):
        one = Hook(callback=URL, events=["user"])
        other = Hook(callback="https://b.example/", events=["user"])
        ids = []
        for hooks in ((one, other), (other, one), (other, Hook(callback=URL, events=["email"]))):
            services = await configured(*hooks)
            ids.append({hook.callback: hook.id for hook in await services.webhooks.listed()})
        assert ids[0] == ids[1] == ids[2]

    @pytest.mark.parametrize("days", [-1, 91])
    async def test_a_grace_period_that_cannot_be_is_refused(self, services, days):
        hook = await hooked(services, URL)
        with pytest.raises(WebhookInvalid):
            await services.webhooks.rotate_secret(SYSTEM, hook.id, timedelta(days=days))

    async def test_a_new_first_secret_seals_anew_what_the_old_one_has(self, services, receiver):
        """SEC-120"""
        first = assemble(with_config(services, secret_keys=OLD), clock=services.clock)
        hook, _ = await first.webhooks.create(SYSTEM, receiver.url, ("user",))
        await first.webhooks.rotate_secret(SYSTEM, hook.id, timedelta(hours=1))
        before = await first.webhooks.hooks.target(hook.id)
        new = [Secret("a new secret of the tests"), *OLD]
        second = assemble(with_config(services, secret_keys=new), clock=services.clock)
        await second.webhooks.reseal()
        assert await second.webhooks.hooks.target(hook.id) == before
        (row,) = await fetch("SELECT * FROM webhook")
        alone = Sealer([new[0].reveal()])
        opened = {
            alone.open(row[name], f"webhook:{hook.id}")
            for name in ("sealed_secret", "sealed_previous_secret")
        }
        assert opened == set(before.secrets)


class TestAudit:
    async def test_each_change_is_recorded_with_who_made_it_and_without_secrets(
        self, audited, receiver, clock
    ):
        """SEC-116, SEC-118"""
        actor = await key_actor(audited)
        webhooks, dispatch = audited.webhooks, audited.dispatch
        hook, secret = await webhooks.create(actor, f"{receiver.url}?token=sentinel", ("user",))
        await webhooks.update(actor, hook.id, WebhookChanges(events=("user", "session")))
        await webhooks.rotate_secret(actor, hook.id, timedelta(hours=1))
        await happen(audited, "user.login")
        await dispatch.spread()
        (delivery,) = every(await dispatch.page(hook.id, PageRequest()))
        await dispatch.replay(actor, delivery.id)
        await dispatch.ping(actor, hook.id)
        await webhooks.delete(actor, hook.id)
        records = await audit()
        assert sorted(one["type"] for one in records) == [
            "webhook_created",
            "webhook_deleted",
            "webhook_delivery_replayed",
            "webhook_pinged",
            "webhook_secret_rotated",
            "webhook_updated",
        ]
        assert {one["actor_id"] for one in records} == {actor.secret_key.id}
        assert {one["subject_id"] for one in records} == {hook.id}
        assert "sentinel" not in str(records)
        assert secret not in str(records)
        made = json.loads(next(o["details"] for o in records if o["type"] == "webhook_created"))
        assert made == {"host": "127.0.0.1", "events": ["user"]}

    async def test_what_is_refused_leaves_no_record(self, audited):
        """SEC-118"""
        with pytest.raises(WebhookInvalid):
            await audited.webhooks.create(SYSTEM, "x", ("user",))
        assert await audit() == []


class TestFailing:
    async def test_a_hook_is_disabled_when_all_has_failed_for_three_days(
        self, audited, receiver, clock
    ):
        """SEC-118: with a record."""
        receiver.says(500)
        hook = await hooked(audited, receiver)
        begins = clock.now
        for _ in range(8):
            await happen(audited, "user.login")
            await told(audited)
            clock.advance(hours=9)
        found = await audited.webhooks.get(hook.id)
        assert found.is_enabled
        assert found.failing_since == begins
        assert found.failures >= 8
        await told(audited)
        found = await audited.webhooks.get(hook.id)
        assert (found.is_enabled, found.disabled_reason) == (False, "failing")
        (record,) = await audit("webhook_disabled")
        assert (record["subject_id"], record["actor_kind"]) == (hook.id, "system")
        assert json.loads(record["details"]) == {"reason": "failing", "failures": found.failures}
        await happen(audited, "user.login")
        assert await told(audited) == 0
        receiver.says(200)
        back = await audited.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=True))
        assert (back.failures, back.failing_since) == (0, None)
        await happen(audited, "user.login")
        assert await told(audited) >= 1

    async def test_one_success_begins_the_count_anew(self, services, receiver, clock):
        hook = await hooked(services, receiver)
        receiver.says(500, 500, 200)
        for failures in (1, 2, 0):
            await happen(services, "user.login")
            await told(services)
            found = await services.webhooks.get(hook.id)
            assert found.failures == failures
            await fetch("DELETE FROM webhook_delivery")
        assert found.failing_since is None
        assert found.last_success_at == clock.now
        clock.advance(days=4)
        receiver.says(500)
        await happen(services, "user.login")
        await told(services)
        assert (await services.webhooks.get(hook.id)).is_enabled

    async def test_a_hook_of_the_configuration_is_never_disabled(self, configured, receiver, clock):
        receiver.says(500)
        services = await configured(Hook(callback=receiver.url, events=["user"]))
        for _ in range(10):
            await happen(services, "user.login")
            assert await told(services) >= 1
            clock.advance(days=1)

    async def test_what_is_told_nothing_for_a_month_is_disabled_where_that_is_asked_for(
        self, configured, services, receiver, clock
    ):
        expiring = await configured(allow_time_expiration=True)
        used, unused = await hooked(services, receiver), await hooked(services, URL, "session")
        clock.advance(days=29)
        await happen(services, "user.login")
        await told(services)
        clock.advance(days=1)
        await services.dispatch.sweep()
        assert all(hook.is_enabled for hook in await services.webhooks.listed())
        await expiring.dispatch.sweep()
        states = {h.id: h.disabled_reason for h in await services.webhooks.listed()}
        assert states == {used.id: None, unused.id: "unused"}


class TestTellingAgain:
    async def test_a_ping_is_told_at_once(self, services, receiver):
        hook = await hooked(services, receiver, "session")
        found = await services.dispatch.ping(SYSTEM, hook.id)
        assert (found.event, found.state, found.status) == ("ping", "delivered", 200)
        (asked,) = receiver.asked
        claims = claims_of(services, asked)
        assert (claims["evt"], claims["data"]) == ("ping", {})
        assert await told(services) == 0

    async def test_a_ping_that_fails_is_tried_again(self, services, receiver, clock):
        receiver.says(500, 200)
        hook = await hooked(services, receiver)
        found = await services.dispatch.ping(SYSTEM, hook.id)
        assert (found.state, found.outcome, found.attempts) == ("waiting", "refused", 1)
        clock.advance(seconds=5)
        assert await told(services) == 1

    async def test_a_hook_of_the_configuration_is_pinged_too(self, configured, receiver):
        hook = Hook(callback=receiver.url, events=["user"])
        on, off = await configured(hook), await configured(hook, enabled=False)
        (found,) = await on.webhooks.listed()
        assert (await on.dispatch.ping(SYSTEM, found.id)).state == "delivered"
        with pytest.raises(WebhookDisabled):
            await off.dispatch.ping(SYSTEM, found.id)

    async def test_a_disabled_hook_is_not_pinged(self, services, receiver):
        hook = await hooked(services, receiver)
        await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=False))
        with pytest.raises(WebhookDisabled):
            await services.dispatch.ping(SYSTEM, hook.id)
        assert receiver.asked == []

    async def test_an_event_is_told_again_under_its_id(self, services, receiver, clock):
        hook = await hooked(services, receiver)
        await happen(services, "user.login", n=1)
        await told(services)
        (first,) = every(await services.dispatch.page(hook.id, PageRequest()))
        clock.advance(hours=1)
        again = await services.dispatch.replay(SYSTEM, first.id)
        assert (again.state, again.attempts, again.event_id) == ("waiting", 0, first.event_id)
        assert again.id != first.id
        assert await told(services) == 1
        one, other = receiver.asked
        assert one.headers["webhook-id"] == other.headers["webhook-id"]
        assert claims_of(services, other)["data"] == {"n": 1}

    async def test_what_was_given_up_is_told_again_once(self, services, receiver, clock):
        receiver.says(500)
        hook = await hooked(services, receiver)
        await happen(services, "user.login", "user.delete", user_id=new_id())
        await told(services)
        clock.advance(hours=24)
        await told(services)
        await told(services)
        receiver.says(200)
        assert {row["state"] for row in await log()} == {"failed"}
        queued = await services.dispatch.replay_all(SYSTEM, [], failed_of=hook.id)
        assert [one.event for one in queued] == ["user.login", "user.delete"]
        assert await services.dispatch.replay_all(SYSTEM, [], failed_of=hook.id) == []
        assert await told(services) == 2
        assert receiver.events[-2:] == ["user.login", "user.delete"]

    async def test_all_are_queued_again_or_none(self, services, receiver):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        (first,) = every(await services.dispatch.page(hook.id, PageRequest()))
        with pytest.raises(DeliveryNotFound):
            await services.dispatch.replay_all(SYSTEM, [first.id, new_id()])
        assert len(await log()) == 1

    async def test_nothing_is_told_again_to_a_disabled_hook(self, services, receiver):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        (first,) = every(await services.dispatch.page(hook.id, PageRequest()))
        await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=False))
        with pytest.raises(WebhookDisabled):
            await services.dispatch.replay(SYSTEM, first.id)

    async def test_an_event_that_is_kept_no_longer_is_not_told_again(self, services, receiver):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        (first,) = every(await services.dispatch.page(hook.id, PageRequest()))
        await services.dispatch.replay(SYSTEM, first.id)
        await fetch("DELETE FROM webhook_event")
        with pytest.raises(DeliveryNotFound):
            await services.dispatch.replay(SYSTEM, first.id)
        await told(services)
        assert (await log())[-1]["outcome"] == "unreadable"


class TestLog:
    async def test_deliveries_are_listed_newest_first_a_page_at_a_time(
        self, services, receiver, clock
    ):
        receiver.says(200, 500, 500)
        hook, other = await hooked(services, receiver), await hooked(services, URL, "session")
        for _ in range(5):
            await happen(services, "user.login")
            await told(services)
            clock.advance(milliseconds=5)
        seen, asked = [], PageRequest(2)
        while True:
            page = await services.dispatch.page(hook.id, asked)
            seen += page.items
            if not page.has_next:
                break
            asked = PageRequest.of(2, _cursor(page.items[-1]))
        assert [one.created_at for one in seen] == sorted(
            (one.created_at for one in seen), reverse=True
        )
        assert len({one.id for one in seen}) == 5
        assert {one.event for one in seen} == {"user.login"}
        done = every(await services.dispatch.page(hook.id, PageRequest(), state="delivered"))
        assert [one.status for one in done] == [200]
        assert every(await services.dispatch.page(other.id, PageRequest())) == []

    async def test_after_three_days_the_log_and_the_events_are_deleted(
        self, services, receiver, clock
    ):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await told(services)
        clock.advance(days=2, hours=23)
        await upkeep.sweep(services)
        assert len(await log()) == len(await fetch("SELECT id FROM webhook_event")) == 1
        clock.advance(hours=1)
        await upkeep.sweep(services)
        assert await log() == []
        assert await fetch("SELECT id FROM webhook_event") == []
        assert (await services.webhooks.get(hook.id)).is_enabled

    async def test_what_waits_at_a_disabled_hook_is_given_up_in_the_end(
        self, services, receiver, clock
    ):
        hook = await hooked(services, receiver)
        await happen(services, "user.login")
        await services.dispatch.spread()
        await services.webhooks.update(SYSTEM, hook.id, WebhookChanges(is_enabled=False))
        clock.advance(hours=24, minutes=59)
        await services.dispatch.sweep()
        assert [row["state"] for row in await log()] == ["waiting"]
        clock.advance(minutes=1)
        await services.dispatch.sweep()
        assert [(row["state"], row["outcome"]) for row in await log()] == [("failed", "expired")]


def _cursor(delivery):
    return Position(delivery.created_at, delivery.id).cursor()


async def test_the_services_open_with_hooks_in_the_database(services, receiver):
    await hooked(services, receiver)
    others = assemble(services.config)
    await others.webhooks.reseal()
    assert len(await others.webhooks.listed()) == 1
