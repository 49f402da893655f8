import json
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

SECRET = re.compile(r"sk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\n")


@pytest.fixture
def keys(sekisho, new_database):
    """Runs `sekisho key` on an empty database of either kind."""
    sekisho("migrate", "up", **new_database)

    def run(*words, **environment):
        return sekisho("key", *words, **new_database, **environment)

    return run


def listed(keys):
    return json.loads(keys("list", "--json").out)


def test_a_key_is_printed_once_and_alone_so_that_a_script_can_take_it_sec_011(keys):
    made = keys("create", "--name", "backend")
    assert (made.status, made.err) == (0, "")
    assert SECRET.fullmatch(made.out)
    shown = keys("list")
    assert shown.status == 0
    prefix = made.out[3:15]
    assert re.fullmatch(rf"[0-9a-f-]{{36}}  sk_{prefix}…  backend  \[live\]\n", shown.out)
    assert made.out.strip()[16:] not in shown.out + keys("list", "--json").out


def test_a_key_gets_the_scopes_and_the_end_it_is_given_sec_015(keys):
    asked = ["--scope", "users:read", "--scope", "keys:read", "--expires-in", "720h", "--json"]
    made = json.loads(keys("create", *asked).out)
    assert SECRET.fullmatch(made.pop("secret") + "\n")
    assert made["scopes"] == ["users:read", "keys:read"]
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=719) < left <= timedelta(hours=720)
    assert [(key["id"], key["scopes"]) for key in listed(keys)] == [(made["id"], made["scopes"])]
    assert "[until " in keys("list").out


def test_a_key_without_scopes_may_do_everything(keys):
    assert json.loads(keys("create", "--json").out)["scopes"] == ["*"]


def test_a_revoked_key_stays_listed_as_revoked_sec_014(keys):
    made = json.loads(keys("create", "--json").out)
    ended = keys("revoke", made["id"])
    assert (ended.status, ended.out) == (0, f"revoked {made['id']}\n")
    assert "[revoked]" in keys("list").out
    again = keys("revoke", made["id"], "--json")
    assert again.status == 0
    assert json.loads(again.out)["revoked_at"] == listed(keys)[0]["revoked_at"]


def test_there_may_be_no_keys_to_list(keys):
    assert keys("list").out == "no secret keys\n"
    assert listed(keys) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["revoke", str(uuid4())], "There is no such secret key."),
        (["create", "--expires-in", "0"], "The expiry must lie in the future."),
        (["create", "--expires-in", "-1h"], "The expiry must lie in the future."),
        (["create", "--name", ""], "A name has 1 to 100 characters."),
        (["create", "--name", "x" * 101], "A name has 1 to 100 characters."),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(keys, words, sentence):
    refused = keys(*words)
    assert (refused.status, refused.out, refused.line) == (1, "", f"sekisho: {sentence}")
    assert listed(keys) == []


def test_the_longest_span_of_a_key_is_still_a_date(keys):
    assert keys("create", "--expires-in", "8760000h").status == 0
