"""Signing keys from the command line."""

import json
from datetime import datetime, timedelta
from uuid import uuid4

import pytest


@pytest.fixture
def jwk(sekisho, new_database):
    """Runs `sekisho jwk` on an empty database of either kind."""
    sekisho("migrate", "up", **new_database)

    def run(*words, **environment):
        return sekisho("jwk", *words, **new_database, **environment)

    return run


def listed(jwk):
    return json.loads(jwk("list", "--json").out)


def test_the_first_key_is_there_and_listed(jwk):
    (key,) = listed(jwk)
    assert (key["algorithm"], key["state"], key["published_until"]) == ("ES256", "active", None)
    shown = jwk("list")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith(f"{key['kid']}  ES256  [active, since 20")


def test_a_key_is_made_and_waits_and_a_rotation_gives_it_its_time_sec_033(jwk):
    made = json.loads(jwk("create", "--json").out)
    assert (made["state"], made["activates_at"]) == ("next", None)
    assert f"{made['kid']}  ES256  [next, published since 20" in jwk("list").out
    told = jwk("rotate")
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith(f"{made['kid']} signs from 20")
    newest, oldest = listed(jwk)
    begins = datetime.fromisoformat(newest["activates_at"])
    assert begins - datetime.fromisoformat(newest["created_at"]) == timedelta(minutes=15)
    end = datetime.fromisoformat(oldest["published_until"])
    assert end - begins == timedelta(hours=12, seconds=60)
    assert "[next, from 20" in jwk("list").out
    assert ", until 20" in jwk("list").out


def test_now_is_at_once(jwk):
    jwk("list")
    following = jwk("rotate", "--now", SECRETS_KEY_MANAGEMENT_ALGORITHM="EdDSA")
    newest, oldest = listed(jwk)
    assert following.out == f"{newest['kid']} signs now\n"
    assert [(key["algorithm"], key["state"]) for key in (newest, oldest)] == [
        ("EdDSA", "active"),
        ("ES256", "retired"),
    ]


def test_a_key_is_retired_and_the_active_one_only_by_force(jwk):
    (first,) = listed(jwk)
    refused = jwk("retire", first["kid"])
    assert refused.status == 1
    assert refused.line == (
        "sekisho: This key signs; only force retires it, and puts a new one in its place."
    )
    assert [key["kid"] for key in listed(jwk)] == [first["kid"]]
    told = jwk("retire", first["kid"], "--force")
    (second,) = listed(jwk)
    assert told.out == f"retired {first['kid']}; {second['kid']} signs\n"
    waiting = json.loads(jwk("create", "--json").out)
    ended = json.loads(jwk("retire", waiting["kid"], "--json").out)
    assert ended["kid"] == second["kid"]
    assert len(listed(jwk)) == 1


@pytest.mark.parametrize(
    ("before", "words", "sentence"),
    [
        (["create"], ["create"], "There is a next signing key already."),
        (["rotate"], ["create"], "There is a next signing key already."),
        (["rotate"], ["rotate"], "The next signing key has its time; `now` brings it forward."),
        (["list"], ["retire", str(uuid4())], "There is no such signing key."),
        (["list"], ["retire", str(uuid4()), "--force"], "There is no such signing key."),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(
    jwk, before, words, sentence
):
    jwk(*before)
    keys = listed(jwk)
    refused = jwk(*words)
    assert (refused.status, refused.out, refused.line) == (1, "", f"sekisho: {sentence}")
    assert listed(jwk) == keys


def test_what_is_no_key_id_is_misuse(jwk):
    assert jwk("retire", "../../etc/passwd").status == 2


def test_another_configured_algorithm_is_told_of_at_every_start_sec_019(jwk):
    jwk("list")
    told = jwk("list", SECRETS_KEY_MANAGEMENT_ALGORITHM="RS256")
    assert told.status == 0
    (line,) = [json.loads(line) for line in told.err.splitlines()]
    assert line["level"] == "warning"
    assert "sekisho jwk rotate" in line["message"]


def test_an_old_secret_can_be_taken_out_once_the_new_one_came_first_sec_120(jwk):
    old, new = "the-first-secret-of-all", "the-second-secret-of-all"
    (key,) = json.loads(jwk("list", "--json", SECRET_KEYS=old).out)
    refused = jwk("list", SECRET_KEYS=new)
    assert refused.line == "sekisho: No configured encryption secret opens the stored keys."
    for secrets in (f"{old},{new}", f"{new},{old}", new):
        (same,) = json.loads(jwk("list", "--json", SECRET_KEYS=secrets).out)
        assert same == key
    assert jwk("list", SECRET_KEYS=old).status == 1


def test_a_kms_that_is_not_there_refuses_the_first_start_in_one_sentence(jwk, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    refused = jwk(
        "list",
        SECRETS_KEY_MANAGEMENT_TYPE="aws_kms",
        SECRETS_KEY_MANAGEMENT_KEY_ID="alias/one",
        SECRETS_KEY_MANAGEMENT_REGION="eu-central-1",
    )
    assert refused.status == 1
    logged, said = refused.err.splitlines()
    assert json.loads(logged)["reason"] == "EndpointConnectionError"
    assert said == "sekisho: The service that signs tokens is not available at the moment."
