"""REST for secret keys: who is told of which events."""

import logging
from dataclasses import replace

import pytest
from faces.admin_endpoints import (
    Endpoint,
    bodies,
    is_not_on_the_public_listener,
    is_whole,
    opens_for_its_scope_alone,
    records,
    refused,
)
from faces.clients import Face
from factories import NOBODYS_ID, make_key, reconfigured
from hypothesis import given, settings

from app.access import SYSTEM
from app.config.webhook_sections import Hook, Webhooks
from app.persistence import fetch
from app.webhooks.service import MOST_HOOKS

URL = "https://hooks.example.com/in?token=t0ps3cret"
NEW = {"callback": URL, "events": ["user", "email.send"]}
PLAIN = {"callback": URL, "events": ["user"]}
WHOLE = {**NEW, "enabled": True}


def endpoints(webhook_id):
    one = f"/webhooks/{webhook_id}"
    return [
        Endpoint("GET", "/webhooks", "webhooks:read"),
        Endpoint("POST", "/webhooks", "webhooks:write", PLAIN),
        Endpoint("GET", one, "webhooks:read"),
        Endpoint("PUT", one, "webhooks:write", {**PLAIN, "enabled": True}),
        Endpoint("DELETE", one, "webhooks:write"),
    ]


@pytest.fixture
async def hook(services):
    made, _ = await services.webhooks.create(SYSTEM, URL, ("user",))
    return made


@pytest.fixture
async def configured(services):
    """The services with a webhook in the configuration, and the listener over them."""
    section = Webhooks(enabled=True, hooks=[Hook(URL, ["session", "user"])])
    others = await reconfigured(services, webhooks=section)
    (found,) = await others.webhooks.listed()
    return Face(others, "admin"), found


async def listed(face, key):
    answer = await face.get("/webhooks", key=key)
    assert answer.status_code == 200
    return answer.json()


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


class TestWho:
    async def test_each_endpoint_opens_for_its_scope_alone(self, services, admin, hook):
        """SEC-012, SEC-015, SEC-016"""
        for one in endpoints(hook.id):
            await opens_for_its_scope_alone(services, admin, one)

    async def test_mails_need_a_key_that_may_be_any_user(self, services, admin, hook):
        """SEC-015: one that writes webhooks alone would read every code."""
        key = await make_key(services, "webhooks:write")
        for method, path, body in (
            ("POST", "/webhooks", NEW),
            ("PUT", f"/webhooks/{hook.id}", WHOLE),
        ):
            assert refused(await admin.call(method, path, body, key=key), 403, "forbidden")
        assert await services.webhooks.listed() == [hook]
        both = await make_key(services, "webhooks:write", "sessions:write")
        assert (await admin.post("/webhooks", NEW, key=both)).status_code == 201

    async def test_the_public_listener_knows_none_of_them(self, services, public, key, hook):
        """SEC-108"""
        for one in endpoints(hook.id):
            await is_not_on_the_public_listener(public, key, one)
        assert await services.webhooks.listed() == [hook]

    async def test_one_that_is_not_there_is_404(self, admin, key):
        """SEC-099"""
        for nothing in (NOBODYS_ID, "x", NOBODYS_ID.upper(), "%00"):
            for one in endpoints(nothing)[2:]:
                answer = await admin.call(one.method, one.path, one.body, key=key)
                assert refused(answer, 404, "not_found", "webhook_id")


class TestMake:
    async def test_a_webhook_is_made_and_its_secret_shown_once(self, services, admin, key):
        """SEC-017, SEC-118"""
        answer = await admin.post("/webhooks", NEW, key=key)
        assert answer.status_code == 201
        made, now = answer.json(), moment(services.clock())
        secret = made.pop("secret")
        assert secret.startswith("whsec_")
        assert made == {
            "id": made["id"],
            "callback": URL,
            "enabled": True,
            "failures": 0,
            "expires_at": made["expires_at"],
            "events": [
                {"id": made["events"][0]["id"], "event": "user"},
                {"id": made["events"][1]["id"], "event": "email.send"},
            ],
            "created_at": now,
            "updated_at": now,
        }
        assert answer.headers["location"] == f"/webhooks/{made['id']}"
        assert (await admin.get(answer.headers["location"], key=key)).json() == made
        assert await listed(admin, key) == {"database": [made], "config": None}
        (record,) = await records("webhook_created")
        details = {"host": "hooks.example.com", "events": ["user", "email.send"]}
        assert record == ("webhook_created", "secret_key", details)

    async def test_no_log_and_no_record_holds_the_secret_or_the_whole_callback(
        self, admin, key, caplog
    ):
        """SEC-116"""
        caplog.set_level(logging.DEBUG)
        secret = (await admin.post("/webhooks", NEW, key=key)).json()["secret"]
        logged = [str(record.__dict__) for record in caplog.records]
        text = "\n".join([*logged, str(await records())])
        assert secret not in text
        assert "t0ps3cret" not in text

    async def test_what_cannot_be_is_refused_and_nothing_is_made(self, admin, key):
        """SEC-110: an address inside the network is nowhere to call."""
        for change, code, path in (
            ({"callback": "hooks.example.com"}, "webhook_invalid", "callback"),
            ({"callback": "ftp://hooks.example.com"}, "webhook_invalid", "callback"),
            ({"callback": "https://u:p@hooks.example.com"}, "webhook_invalid", "callback"),
            ({"callback": "http://169.254.169.254/latest"}, "webhook_invalid", "callback"),
            ({"callback": "https://10.0.0.1/in"}, "webhook_invalid", "callback"),
            ({"callback": "\0"}, "webhook_invalid", "callback"),
            ({"events": []}, "webhook_invalid", "events"),
            ({"events": ["user", "user"]}, "webhook_invalid", "events"),
            ({"events": ["nothing"]}, "webhook_invalid", "events"),
            ({"events": ["user", "\ud800"]}, "webhook_invalid", "events"),
            ({"events": "user"}, "body_invalid", "events"),
            ({"events": [1]}, "body_invalid", "events"),
            ({"events": None}, "body_invalid", "events"),
            ({"callback": None}, "body_invalid", "callback"),
            ({"callback": 1}, "body_invalid", "callback"),
        ):
            answer = await admin.post("/webhooks", {**NEW, **change}, key=key)
            assert refused(answer, 400, code, path), change
        assert refused(await admin.post("/webhooks", [], key=key), 400, "body_invalid")
        assert await listed(admin, key) == {"database": [], "config": None}

    async def test_what_it_does_not_know_is_ignored(self, admin, key):
        answer = await admin.post("/webhooks", {**NEW, "secret": "whsec_mine"}, key=key)
        assert answer.status_code == 201
        assert answer.json()["secret"] != "whsec_mine"

    async def test_there_are_so_many_and_no_more(self, services, admin, key):
        """SEC-098"""
        for n in range(MOST_HOOKS):
            await services.webhooks.create(SYSTEM, f"{URL}&n={n}", ("user",))
        assert refused(await admin.post("/webhooks", NEW, key=key), 409, "webhook_limit_reached")


class TestChange:
    async def test_a_webhook_is_changed_as_a_whole_and_what_has_failed_counts_no_more(
        self, admin, key, hook
    ):
        """SEC-017, SEC-118"""
        await fetch("UPDATE webhook SET failures = 7 WHERE id = $1", hook.id)
        path = f"/webhooks/{hook.id}"
        body = {"callback": f"{URL}2", "events": ["session"], "enabled": False}
        answer = await admin.call("PUT", path, body, key=key)
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["callback"], shown["enabled"], shown["failures"]) == (f"{URL}2", False, 0)
        assert [one["event"] for one in shown["events"]] == ["session"]
        assert "secret" not in shown
        assert (await admin.get(path, key=key)).json() == shown
        assert [who for _, who, _ in await records("webhook_updated")] == ["secret_key"]

    async def test_an_event_keeps_its_id(self, admin, key, hook):
        before = (await admin.get(f"/webhooks/{hook.id}", key=key)).json()["events"]
        answer = await admin.call("PUT", f"/webhooks/{hook.id}", WHOLE, key=key)
        assert answer.json()["events"][:1] == before
        assert len({one["id"] for one in answer.json()["events"]}) == 2

    async def test_what_was_read_is_written_back(self, admin, key, hook):
        path = f"/webhooks/{hook.id}"
        read = (await admin.get(path, key=key)).json()
        names = [one["event"] for one in read["events"]]
        body = {**read, "id": "x", "events": names, "failures": 5, "enabled": False}
        answer = await admin.call("PUT", path, body, key=key)
        assert answer.status_code == 200
        shown = answer.json()
        same = ("id", "callback", "events", "failures", "created_at")
        assert {name: shown[name] for name in same} == {name: read[name] for name in same}
        assert shown["enabled"] is False

    @pytest.mark.parametrize("missing", ["callback", "events", "enabled"])
    async def test_nothing_may_be_left_out(self, services, admin, key, hook, missing):
        body = {name: value for name, value in WHOLE.items() if name != missing}
        answer = await admin.call("PUT", f"/webhooks/{hook.id}", body, key=key)
        assert refused(answer, 400, "body_invalid", missing)
        assert answer.json()["message"] == f"{missing} is a required field"
        assert await services.webhooks.get(hook.id) == hook

    async def test_what_cannot_be_is_refused_and_nothing_changes(self, services, admin, key, hook):
        for change, code, path in (
            ({"callback": "x"}, "webhook_invalid", "callback"),
            ({"events": ["nothing"]}, "webhook_invalid", "events"),
            ({"enabled": "yes"}, "body_invalid", "enabled"),
        ):
            answer = await admin.call("PUT", f"/webhooks/{hook.id}", {**WHOLE, **change}, key=key)
            assert refused(answer, 400, code, path)
        assert await services.webhooks.get(hook.id) == hook


class TestDelete:
    async def test_a_webhook_is_deleted(self, services, admin, key, hook):
        """SEC-118"""
        answer = await admin.call("DELETE", f"/webhooks/{hook.id}", key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.webhooks.listed() == []
        assert [who for _, who, _ in await records("webhook_deleted")] == ["secret_key"]


class TestConfigured:
    async def test_those_of_the_configuration_are_shown_apart(self, configured, key):
        face, _ = configured
        made = (await face.post("/webhooks", NEW, key=key)).json()
        shown = await listed(face, key)
        assert [one["id"] for one in shown["database"]] == [made["id"]]
        assert shown["config"] == [{"callback": URL, "events": ["session", "user"]}]

    async def test_one_is_shown_and_changed_by_nobody(self, configured, key):
        face, hook = configured
        path = f"/webhooks/{hook.id}"
        shown = (await face.get(path, key=key)).json()
        assert (shown["callback"], shown["enabled"]) == (URL, True)
        assert "created_at" not in shown
        for method, body in (("PUT", WHOLE), ("DELETE", ...)):
            answer = await face.call(method, path, body, key=key)
            assert refused(answer, 409, "webhook_configured", "webhook_id")


async def test_production_calls_https_alone(services, key):
    """SEC-110"""
    webhooks = services.webhooks
    strict = replace(webhooks, courier=replace(webhooks.courier, https_only=True))
    face = Face(replace(services, webhooks=strict), "admin")
    for scheme, status in (("http", 400), ("https", 201)):
        body = {**NEW, "callback": f"{scheme}://hooks.example.com"}
        assert (await face.post("/webhooks", body, key=key)).status_code == status


@settings(max_examples=50)
@given(body=bodies("callback", "events", "enabled"))
async def test_whatever_is_sent_nothing_breaks(admin, key, hook, body):
    """SEC-097"""
    assert is_whole(await admin.post("/webhooks", body, key=key))
    whole = {**WHOLE, **body} if isinstance(body, dict) else body
    assert is_whole(await admin.call("PUT", f"/webhooks/{hook.id}", whole, key=key))
