"""How a session token travels to a browser and back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.check import STANDARD_CLAIMS, refuse_contradictions
from app.config.load import convert
from app.config.sections import MAX_COOKIE, Cookie, Session
from app.config.values import Duration
from app.http import REFRESH_PATH, SessionCookie
from app.sessions import Issued
from app.sessions import Session as SessionRow

NOW = datetime(2026, 11, 21, 22, tzinfo=UTC)
NOBODY = UUID(int=0)
STRICT = "HttpOnly; Secure; SameSite=Strict"


def issued(token="token", refresh_token=None, lifespan=timedelta(hours=12), *, remember=True):
    end = NOW + timedelta(hours=12)
    row = SessionRow(NOBODY, NOBODY, None, None, NOW, NOW, end, remember)
    return Issued(row, token, NOW, NOW + lifespan, refresh_token)


def carried(cookie=None, **session):
    return SessionCookie(Session(cookie=cookie or Cookie(), **session))


def headers(carrier, **kwargs):
    return {k.decode(): v.decode() for k, v in carrier.delivery(issued(**kwargs))}


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
    ((name, line),) = carried().deletion()
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


ACCESS = Duration(minutes=10)


def refreshing(cookie=None):
    return carried(cookie, access_token_lifespan=ACCESS)


def test_a_refresh_token_travels_to_its_own_path_alone():
    sent = refreshing().delivery(issued("t", "rt_x", lifespan=ACCESS))
    lines = [value.decode() for name, value in sent if name == b"set-cookie"]
    assert lines == [
        "hanko=t; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Strict",
        f"hanko-refresh=rt_x; Path={REFRESH_PATH}; Max-Age=43200; {STRICT}",
    ]
    assert dict(sent)[b"x-session-lifetime"] == b"600"


def test_sec_030_no_script_reads_a_refresh_token_whatever_is_configured():
    sent = refreshing(Cookie(http_only=False)).delivery(issued("t", "rt_x"))
    access, refresh = [value.decode() for name, value in sent if name == b"set-cookie"]
    assert "HttpOnly" not in access
    assert "HttpOnly" in refresh


def test_a_refresh_cookie_ends_with_the_browser_where_the_session_does():
    sent = refreshing(Cookie(retention="session")).delivery(issued("t", "rt_x"))
    assert all(b"Max-Age" not in value for name, value in sent if name == b"set-cookie")


def test_a_cookie_with_a_path_has_no_host_prefix():
    assert carried(Cookie(name="__Host-sid")).refresh_name == "__Secure-sid-refresh"


def test_signing_out_forgets_both_tokens_where_there_are_two():
    lines = [line.decode() for _, line in refreshing().deletion()]
    assert [line.partition(";")[0] for line in lines] == ["hanko=", "hanko-refresh="]
    assert all("Max-Age=0" in line for line in lines)


names = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=64)
hosts = st.text("abcdefghijklmnopqrstuvwxyz.", max_size=253)


@given(name=names, domain=hosts, lasts=st.booleans())
def test_sec_030_a_payload_that_has_room_makes_no_cookie_beyond_its_limit(name, domain, lasts):
    """The payload as large as it may be, under the longest header and signature there are."""
    session = Session(cookie=Cookie(name=name, domain=domain))
    payload = (session.payload_limit() * 4 + 2) // 3
    token = ".".join(("h" * 112, "p" * payload, "s" * 683))
    for _, line in SessionCookie(session).delivery(issued(token, remember=lasts)):
        assert len(line) <= MAX_COOKIE


@pytest.mark.parametrize(
    "session",
    [
        {"issuer": "https://" + "i" * 500},
        {"audience": ["a" * 100 for _ in range(5)]},
        {"cookie": {"domain": "d" * 2000}},
    ],
)
def test_sec_030_a_configuration_whose_tokens_no_cookie_holds_is_refused(session):
    with pytest.raises(Refused, match="would not fit into its cookie"):
        _refuse_contradictions(session)


def test_the_claims_of_every_token_have_the_room_they_are_counted_with():
    email = {"address": "", "is_primary": True, "is_verified": False}
    methods = ["ext:" + "x" * 24, "passkey", "pwd", "otp", "totp", "security_key"]
    ids = {"sub": str(NOBODY), "session_id": str(NOBODY)}
    numbers = {"iat": 10**10 - 1, "exp": 10**10 - 1, "metadata_version": 2**63}
    claims = {**ids, **numbers, "aud": [""], "iss": "", "email": email, "username": ""}
    assert len(msgspec.json.encode({**claims, "amr": methods})) <= STANDARD_CLAIMS


class Refused(Exception):
    pass


def _refuse_contradictions(session):
    def refuse(why):
        raise Refused(why)

    refuse_contradictions(convert({"session": session}), refuse)
