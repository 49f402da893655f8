"""The settings of webhooks: files and variables of the reference, and what is refused."""

import base64

import pytest

from app.config import ConfigurationRefused, load
from app.config.webhook_sections import EVENTS, SUBSCRIBABLE

GOOD = "whsec_" + base64.b64encode(b"x" * 24).decode()
YAML = """
webhooks:
  enabled: {enabled}
  allow_time_expiration: true
  hooks:
    - callback: {callback}
      events: {events}
      secrets: {secrets}
"""


@pytest.fixture
def read(tmp_path):
    def give(callback="https://a.example/x", events="[user]", secrets="[]", *, enabled="true"):
        file = tmp_path / "config.yaml"
        values = {"callback": callback, "events": events, "secrets": secrets}
        file.write_text(YAML.format(enabled=enabled, **values))
        return load(file, {}).webhooks

    return give


def variables(tmp_path, **given):
    file = tmp_path / "config.yaml"
    file.write_text("")
    return load(file, given).webhooks


def test_a_file_of_the_reference_loads_as_it_is(read):
    settings = read(events="[user, session.delete.passive.expire]")
    assert settings.enabled
    assert settings.allow_time_expiration
    (hook,) = settings.hooks
    assert (hook.callback, hook.secrets) == ("https://a.example/x", [])


def test_the_variable_of_the_reference_holds_several(tmp_path):
    text = (
        '{"callback":"https://a.example/x","events":["user"]};'
        '{"callback":"https://a.example/y;z","events":["email.send"]} ; '
    )
    settings = variables(tmp_path, WEBHOOKS_HOOKS=text, WEBHOOKS_ALLOWTIMEEXPIRATION="true")
    assert [hook.callback for hook in settings.hooks] == [
        "https://a.example/x",
        "https://a.example/y;z",
    ]
    assert settings.allow_time_expiration
    assert not settings.enabled


@pytest.mark.parametrize("text", ["x", "{", '{"callback": "a"', "{} {}", "{},{}", ";"])
def test_a_variable_that_is_no_list_of_objects_is_refused(tmp_path, text):
    with pytest.raises(ConfigurationRefused, match="JSON objects"):
        variables(tmp_path, WEBHOOKS_HOOKS=text)


def test_an_object_that_is_no_hook_is_refused(tmp_path):
    for text in ('{"callback":"https://a.example"}', '{"url":"x","events":[],"callback":"x"}', "1"):
        with pytest.raises(ConfigurationRefused, match="webhooks"):
            variables(tmp_path, WEBHOOKS_HOOKS=text)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"callback": "nonsense"}, r"webhooks\.hooks\[0\]\.callback must be an absolute"),
        ({"callback": "https://u@a.example"}, "must hold no user"),
        ({"events": "[users]"}, "there is no event 'users'"),
        ({"events": "[]"}, "at least one event"),
        ({"secrets": "[whsec_short]"}, "24 to 64 bytes"),
        ({"secrets": f"[{GOOD}, {GOOD}, {GOOD}]"}, "more than 2"),
    ],
)
def test_a_hook_that_cannot_be_is_refused_while_hooks_are_on(read, given, sentence):
    with pytest.raises(ConfigurationRefused, match=sentence) as refused:
        read(**given)
    assert "short" not in str(refused.value)
    read(**given, enabled="false")


@pytest.mark.parametrize("networks", [{}, {"OUTBOUND_ALLOWED_NETWORKS": "10.0.0.0/8"}])
def test_production_speaks_https_alone(tmp_path, networks):
    """SEC-110: inside the network, too."""
    given = {
        "ENVIRONMENT": "production",
        "SERVER_PUBLIC_URL": "https://id.example.com",
        "SECRET_KEYS": "a secret of at least 32 characters",
        "WEBHOOKS_ENABLED": "true",
        "WEBHOOKS_HOOKS": '{"callback":"http://a.example/x","events":["user"]}',
    }
    with pytest.raises(ConfigurationRefused, match="https URL in production"):
        variables(tmp_path, **given, **networks)


def test_what_is_above_an_event_can_be_asked_for():
    assert set(EVENTS) < SUBSCRIBABLE
    assert {"user", "user.update", "user.update.password", "session.delete.passive"} < SUBSCRIBABLE
    assert "" not in SUBSCRIBABLE
