"""REST for secret keys: the audit log, in pages that have numbers."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from faces.admin_endpoints import (
    Endpoint,
    is_not_on_the_public_listener,
    is_whole,
    opens_for_its_scope_alone,
    refused,
    texts,
)
from factories import make_key
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access import Actor, Origin, SecretKeyPrincipal, SessionPrincipal
from app.ids import new_id
from app.persistence import fetch

LOGS = "/audit_logs"
ADA, KEY, SUBJECT = new_id(), new_id(), new_id()


def came(n):
    return Origin(f"r{n}", f"192.0.2.{n}", "Agent")


@pytest.fixture
async def key(services):
    return await make_key(services, "audit:read")


@pytest.fixture
async def filled(services, clock, key):
    """Five records a minute apart; gives the time of each."""
    await fetch("DELETE FROM audit_event")
    by_ada = SessionPrincipal(new_id(), ADA)
    by_key = SecretKeyPrincipal(KEY, frozenset({"*"}))
    times = []
    for n, (kind, actor, subject) in enumerate(
        (
            ("user_created", Actor(secret_key=by_key, origin=came(0)), ADA),
            ("login_failure", Actor(origin=came(1)), ADA),
            ("login_success", Actor(origin=came(2)), SUBJECT),
            ("email_created", Actor(session=by_ada, origin=came(3)), ADA),
            ("webhook_disabled", Actor(), new_id()),
        )
    ):
        details = {"n": n, "address": "ada@example.com"}
        await services.audit.record(kind, actor, subject=subject, details=details)
        times.append(clock.now)
        clock.advance(minutes=1)
    return times


async def found(admin, key, query=""):
    """The numbers of the records that a query finds."""
    answer = await admin.get(f"{LOGS}?{query}", key=key)
    assert answer.status_code == 200, answer.text
    return [one["details"]["n"] for one in answer.json()]


def links(answer):
    parts = (part.partition(">; rel=") for part in answer.headers["link"].split(","))
    return {name.strip('"'): url.removeprefix("<") for url, _, name in parts}


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


async def test_it_opens_for_its_scope_alone(services, admin):
    """SEC-012, SEC-015, SEC-016"""
    await opens_for_its_scope_alone(services, admin, Endpoint("GET", LOGS, "audit:read"))


async def test_the_public_listener_knows_it_not(public, key):
    """SEC-108"""
    await is_not_on_the_public_listener(public, key, Endpoint("GET", LOGS, "audit:read"))


async def test_nothing_changes_a_record(admin, key, filled):
    """SEC-118"""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await admin.call(method, LOGS, {}, key=key)).status_code == 405
    assert await found(admin, key) == [4, 3, 2, 1, 0]


class TestShape:
    async def test_a_record_has_the_references_names_and_tells_who_and_whom(
        self, admin, key, filled
    ):
        answer = await admin.get(LOGS, key=key)
        assert answer.headers["cache-control"] == "no-store"
        shown = answer.json()
        assert shown[1] == {
            "id": shown[1]["id"],
            "type": "email_created",
            "meta_http_request_id": "r3",
            "meta_source_ip": "192.0.2.3",
            "meta_user_agent": "Agent",
            "actor_kind": "user",
            "actor_user_id": str(ADA),
            "actor_id": str(ADA),
            "subject_id": str(ADA),
            "details": {"n": 3, "address": "a*****@example.com"},
            "created_at": moment(filled[3]),
            "updated_at": moment(filled[3]),
        }

    async def test_who_was_not_signed_in_yet_is_whom_it_is_about(self, admin, key, filled):
        login = (await admin.get(f"{LOGS}?type=login_success", key=key)).json()[0]
        assert (login["actor_kind"], login["actor_user_id"]) == ("anonymous", str(SUBJECT))
        assert "actor_id" not in login

    async def test_a_key_and_the_product_are_no_users(self, admin, key, filled):
        shown = (await admin.get(LOGS, key=key)).json()
        assert (shown[4]["actor_kind"], shown[4]["actor_id"]) == ("secret_key", str(KEY))
        assert (shown[0]["actor_kind"], shown[0]["meta_source_ip"]) == ("system", "")
        for one in (shown[0], shown[4]):
            assert "actor_user_id" not in one


class TestPages:
    async def test_pages_have_numbers_and_say_where_others_are(self, admin, key, filled):
        answer = await admin.get(f"{LOGS}?per_page=2&page=2&type=x&type=user_created", key=key)
        assert answer.headers["x-total-count"] == "1"
        answer = await admin.get(f"{LOGS}?per_page=2&page=2", key=key)
        assert [one["details"]["n"] for one in answer.json()] == [2, 1]
        assert answer.headers["x-total-count"] == "5"
        assert links(answer).keys() == {"first", "last", "next", "prev"}
        assert links(answer)["next"].endswith(f"{LOGS}?page=3&per_page=2")

    async def test_a_page_behind_the_last_is_empty(self, admin, key, filled):
        answer = await admin.get(f"{LOGS}?page=2000000000&per_page=100", key=key)
        assert (answer.json(), answer.headers["x-total-count"]) == ([], "5")

    @pytest.mark.parametrize(
        "query", ["per_page=101", "per_page=-1", "page=-1", "page=x", "page=99999999999"]
    )
    async def test_a_page_that_cannot_be_is_refused(self, admin, key, query):
        """SEC-098"""
        answer = await admin.get(f"{LOGS}?{query}", key=key)
        assert refused(answer, 400, "bad_request", query.partition("=")[0])


class TestFilters:
    async def test_each_narrows_it_down(self, admin, key, filled):
        """SEC-098"""
        for query, wanted in (
            ("type=login_failure&type=email_created", [3, 1]),
            ("type=login", []),
            (f"actor_user_id={ADA}", [3, 1]),
            (f"actor_user_id={str(ADA)[9:].upper()}", [3, 1]),
            (f"actor_user_id={SUBJECT}", [2]),
            (f"actor_user_id={KEY}", [0]),
            ("meta_source_ip=192.0.2.3", [3]),
            ("meta_source_ip=192", [3, 2, 1, 0]),
            ("meta_source_ip=%25", []),
            ("q=192.0.2.1", [1]),
            (f"q={ADA}", [3, 1]),
            ("q=ada%40example.com", []),
            (f"start_time={moment(filled[1])}&end_time={moment(filled[4])}", [3, 2]),
            (f"type=user_created&actor_user_id={ADA}", []),
            ("actor_email=&q=&start_time=", [4, 3, 2, 1, 0]),
        ):
            assert await found(admin, key, query) == wanted, query

    async def test_a_time_is_a_moment_wherever_it_is_told(self, admin, key, filled):
        local = (filled[3] + timedelta(hours=2)).replace(tzinfo=None).isoformat()
        assert await found(admin, key, f"start_time={quote(local)}%2B02:00") == [4]

    @pytest.mark.parametrize(
        "time",
        [
            *("yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z"),
            *("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59Z", "1800-01-01T00:00:00Z"),
            *("1769860800", "%00"),
        ],
    )
    async def test_a_time_that_is_none_is_refused(self, admin, key, time):
        for name in ("start_time", "end_time"):
            answer = await admin.get(f"{LOGS}?{name}={time}", key=key)
            assert refused(answer, 400, "audit_filter_refused", name)

    async def test_what_cannot_be_asked_is_refused(self, admin, key):
        """SEC-097: and no word of why comes from inside."""
        for query in ("q=%00", "actor_user_id=%00", "meta_source_ip=%00", "type=%00"):
            answer = await admin.get(f"{LOGS}?{query}", key=key)
            assert refused(answer, 400, "audit_filter_refused", "filter")
        answer = await admin.get(f"{LOGS}?{'&'.join(['type=x'] * 101)}", key=key)
        assert answer.status_code == 400

    async def test_nobody_is_found_by_an_address(self, admin, key):
        """Records hold none; to leave the question out would answer another."""
        answer = await admin.get(f"{LOGS}?actor_email=ada", key=key)
        assert refused(answer, 400, "audit_filter_refused", "actor_email")


NAMES = ["start_time", "end_time", "type", "actor_user_id", "actor_email", "meta_source_ip", "q"]
NAMES += ["page", "per_page"]


@settings(max_examples=50)
@given(asked=st.lists(st.tuples(st.sampled_from(NAMES), texts), max_size=4))
async def test_whatever_is_asked_nothing_breaks(admin, key, filled, asked):
    """SEC-097, SEC-098"""
    parts = (f"{name}={quote(value, errors='surrogatepass')}" for name, value in asked)
    assert is_whole(await admin.get(f"{LOGS}?{'&'.join(parts)}", key=key))


@pytest.mark.parametrize("query", ["q=%ff", "%ff=1", "type=%C3%28", "q", "&&", "q=1;type=2"])
async def test_a_query_that_is_no_text_breaks_nothing(admin, key, query):
    """SEC-097"""
    assert is_whole(await admin.get(f"{LOGS}?{query}", key=key))
