"""How a session token travels to a browser and back."""

import msgspec
import pytest

from app.config.sections import Cookie, Session
from app.http import SessionCookie


def carried(cookie=None, **session):
    return SessionCookie(Session(cookie=cookie or Cookie(), **session))


def headers(carrier, **kwargs):
    return {k.decode(): v.decode() for k, v in carrier.delivery("token", **kwargs)}


def test_sec_030_a_token_travels_in_a_cookie_that_is_strict_by_default():
    sent = headers(carried())
    assert sent["set-cookie"] == (
        "hanko=token; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"
    )
    assert sent["x-session-lifetime"] == "43200"
    assert sent["x-session-retention"] == "persistent"
    assert "x-auth-token" not in sent


def test_sec_031_a_token_travels_in_a_header_only_where_that_is_enabled():
    sent = headers(carried(enable_auth_token_header=True))
    assert sent["x-auth-token"] == "token"
    assert "set-cookie" not in sent


@pytest.mark.parametrize(
    ("retention", "remember", "lasts"),
    [
        ("persistent", False, True),
        ("session", True, False),
        ("prompt", True, True),
        ("prompt", False, False),
    ],
)
def test_a_cookie_outlives_the_browser_only_where_it_may(retention, remember, lasts):
    sent = headers(carried(Cookie(retention=retention)), remember=remember)
    assert ("Max-Age" in sent["set-cookie"]) is lasts
    assert sent["x-session-retention"] == ("persistent" if lasts else "session")


def test_name_domain_and_attributes_come_from_the_configuration():
    cookie = Cookie(
        name="sid", domain="example.com", http_only=False, secure=False, same_site="lax"
    )
    line = headers(carried(cookie))["set-cookie"]
    assert line == "sid=token; Path=/; Domain=example.com; Max-Age=43200; SameSite=Lax"


def test_a_deletion_bears_the_same_attributes_and_no_token():
    name, line = carried().deletion()
    assert name == b"set-cookie"
    assert line == b"hanko=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("hanko=abc", "abc"),
        ("a=1; hanko=abc; b=2", "abc"),
        ("a=1;hanko=abc", "abc"),
        ("xhanko=abc", None),
        ("hanko", None),
        ("", None),
        ("hanko2=abc; Hanko=def", None),
    ],
)
def test_the_cookie_is_found_by_its_whole_name(header, token):
    assert carried().read(header) == token


def test_a_configured_name_takes_the_place_of_the_default_one():
    carrier = carried(msgspec.structs.replace(Cookie(), name="sid"))
    assert carrier.read("hanko=old; sid=new") == "new"
