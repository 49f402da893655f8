import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
from cli.conftest import _beside_the_shared_database

from app.access import SYSTEM
from app.assembly import assemble
from app.config import load
from app.persistence import fetch

HOOK = '{"callback":"https://hooks.example.com/in","events":["user","email.send"]}'


@pytest.fixture
def webhook(sekisho, new_database):
    """Runs `sekisho webhook` on an empty database of either kind."""
    sekisho("migrate", "up", **new_database)

    def run(*words, **environment):
        return sekisho("webhook", *words, **new_database, **environment)

    return run


@pytest.fixture
def given_up(new_database, tmp_path):
    """A hook at which two deliveries were given up: its id, and theirs."""

    async def work():
        services = assemble(load(Path("/dev/null"), {**new_database, "DATA_DIR": str(data)}))
        await services.open()
        try:
            hook, _ = await services.webhooks.create(SYSTEM, "https://a.example/", ("user",))
            for name in ("user.login", "user.delete"):
                await services.events.record(name, {})
            await services.dispatch.spread()
            await fetch("UPDATE webhook_delivery SET state = 'failed'")
            rows = await fetch("SELECT id FROM webhook_delivery ORDER BY sequence")
            return str(hook.id), [str(row["id"]) for row in rows]
        finally:
            await services.close()

    data = tmp_path / "data"
    with _beside_the_shared_database():
        return asyncio.run(work())


def test_deliveries_are_queued_again(webhook, given_up):
    hook, (first, second) = given_up
    assert webhook("list").out == f"{hook}  https://a.example/  user  [enabled]\n"
    done = json.loads(webhook("replay", first, "--json").out)
    assert [(one["event"], one["state"], one["webhook_id"]) for one in done] == [
        ("user.login", "waiting", hook)
    ]
    done = webhook("replay", "--failed-of", hook)
    assert done.status == 0
    assert done.out.startswith("queued ")
    assert done.out.endswith("  user.delete\n")
    assert second not in done.out
    assert webhook("replay", "--failed-of", hook).out == "nothing has failed\n"


def test_all_are_queued_again_or_none(webhook, given_up):
    hook, (first, _) = given_up
    assert webhook("replay", first, str(uuid4())).status == 1
    assert len(json.loads(webhook("replay", "--failed-of", hook, "--json").out)) == 2


def test_there_may_be_no_hooks_to_list(webhook):
    assert webhook("list").out == "no webhooks\n"
    assert json.loads(webhook("list", "--json").out) == []


def test_hooks_of_the_configuration_are_listed(webhook):
    given = {"WEBHOOKS_ENABLED": "true", "WEBHOOKS_HOOKS": HOOK}
    (hook,) = json.loads(webhook("list", "--json", **given).out)
    assert hook["callback"] == "https://hooks.example.com/in"
    assert (hook["events"], hook["is_configured"]) == (["user", "email.send"], True)
    line = f"{hook['id']}  {hook['callback']}  user email.send  [configured, enabled]\n"
    assert webhook("list", **given).out == line
    off = webhook("list", WEBHOOKS_HOOKS=HOOK)
    assert off.out.endswith("[configured, disabled]\n")


def test_nothing_may_have_failed(webhook):
    given = {"WEBHOOKS_ENABLED": "true", "WEBHOOKS_HOOKS": HOOK}
    (hook,) = json.loads(webhook("list", "--json", **given).out)
    done = webhook("replay", "--failed-of", hook["id"], **given)
    assert (done.status, done.out) == (0, "nothing has failed\n")
    assert json.loads(webhook("replay", "--failed-of", hook["id"], "--json", **given).out) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([str(uuid4())], "There is no such delivery, or its event is kept no longer."),
        (["--failed-of", str(uuid4())], "There is no such webhook."),
    ],
)
def test_what_is_not_there_is_refused(webhook, words, sentence):
    refused = webhook("replay", *words)
    assert (refused.status, refused.line) == (1, f"sekisho: {sentence}")


@pytest.mark.parametrize("words", [[], ["no-id"]])
def test_replaying_nothing_is_a_misuse(webhook, words):
    assert webhook("replay", *words).status == 2
