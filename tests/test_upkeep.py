"""What is kept for a time is removed when that is over, and nothing before."""

import dataclasses
import logging
from datetime import timedelta

import pytest
from factories import make_session, make_user
from piccolo.conf.apps import table_finder

from app import sweeping, upkeep, worker
from app.access import SYSTEM
from app.audit import AuditLog
from app.credentials.webauthn_challenges import Ceremony
from app.federation.saml.replay import take_once
from app.flows.service import Flows
from app.ids import new_id
from app.persistence import DatabaseUnavailable, copy_rows, database, fetch, transaction
from app.upkeep import TABLES, Removed, clean, leftovers


@pytest.fixture
def named(services):
    return {one.name: one for one in leftovers(services)}


def test_every_table_is_named_once(named):
    assert tuple(named) == TABLES


async def test_nothing_is_removed_without_being_asked_for_sec_126(services, named, clock):
    await services.audit.record("user_updated", SYSTEM)
    clock.now += timedelta(days=31)
    kept = len(await fetch("SELECT id FROM audit_event"))
    counted = await clean(services, named["audit_logs"], run=False)
    assert counted == Removed("audit_logs", found=kept, removed=0)
    assert len(await fetch("SELECT id FROM audit_event")) == kept


async def test_what_is_counted_is_what_is_removed(services, named, clock, monkeypatch):
    monkeypatch.setattr("app.sweeping.AT_ONCE", 2)
    await fetch("DELETE FROM audit_event")
    for _ in range(5):
        await services.audit.record("user_updated", SYSTEM)
    clock.now += timedelta(days=31)
    await services.audit.record("user_deleted", SYSTEM)
    assert await clean(services, named["audit_logs"], run=True) == Removed("audit_logs", 5, 5)
    assert [row["type"] for row in await fetch("SELECT type FROM audit_event")] == ["user_deleted"]


async def test_every_count_and_every_sweep_runs_on_an_empty_database(services, named):
    for one in named.values():
        assert (await clean(services, one, run=True)).removed == 0
    await upkeep.sweep(services)


async def test_ceremonies_that_nobody_ended_go(services, named, clock):
    challenges = services.ceremonies.challenges
    for _ in range(3):
        await challenges.issue(Ceremony("login"), timedelta(minutes=5))
    clock.now += timedelta(minutes=4)
    await challenges.issue(Ceremony("login"), timedelta(minutes=5))
    clock.now += timedelta(minutes=2)
    done = await clean(services, named["webauthn_session_data"], run=True)
    assert (done.found, done.removed) == (3, 3)
    assert len(await fetch("SELECT digest FROM webauthn_challenge")) == 1


async def test_mails_that_were_settled_long_ago_go_and_those_that_wait_stay(services, named, clock):
    for state, values, settled_at in (
        ("sent", None, clock.now - timedelta(days=8)),
        ("waiting", "sealed", None),
    ):
        await fetch(
            "INSERT INTO mail_outbox (id, template, language, recipient, sealed_values, state, "
            "attempts, due_at, created_at, expires_at, settled_at) "
            "VALUES ($1, 'x', 'en', 'a', $2, $3, 0, $4, $4, $5, $6)",
            new_id(),
            values,
            state,
            clock.now,
            clock.now + timedelta(days=1),
            settled_at,
        )
    assert await clean(services, named["mails"], run=True) == Removed("mails", 1, 1)
    assert [r["state"] for r in await fetch("SELECT state FROM mail_outbox")] == ["waiting"]


async def test_what_does_not_shrink_is_left_for_the_next_time(services, named):
    async def nothing() -> None:
        return None

    await services.audit.record("user_updated", SYSTEM)
    stuck = dataclasses.replace(named["audit_logs"], kept=timedelta(0), sweep=nothing)
    done = await clean(services, stuck, run=True)
    assert (done.found > 0, done.removed) == (True, 0)


async def test_saml_responses_that_have_expired_by_themselves_go_sec_126(services, named, clock):
    """Whether or not SAML is on at the moment."""
    assert services.saml is None
    for n, minutes in enumerate((-1, 0, 1)):
        ends = clock.now + timedelta(minutes=minutes)
        await take_once("issuer", f"response{n}", f"assertion{n}", ends)
    assert await clean(services, named["saml_replays"], run=True) == Removed("saml_replays", 4, 4)
    (left, *_) = await fetch("SELECT expires_at FROM saml_replay")
    assert left["expires_at"] > clock.now


async def test_events_have_one_sweep_and_deliveries_another(services, named, clock):
    """Nothing is removed twice, and each is counted where it is removed."""
    await services.events.record("user.login", {})
    clock.now += timedelta(days=4)
    await named["webhook_deliveries"].sweep()
    assert len(await fetch("SELECT id FROM webhook_event")) == 1
    assert await clean(services, named["webhook_events"], run=True) == Removed(
        "webhook_events", 1, 1
    )


async def test_every_table_that_anybody_can_fill_is_swept_sec_126():
    """What has a time at which it is over has a sweep; what has none is bounded or is kept."""
    swept = " ".join(upkeep._COUNT.values())
    bounded = {
        "saml_certificate": "one in years; what renews them removes them",
        "signing_key": "removed by the keys' own rotation",
        "webhook": "as many as an operator makes",
        "secret_key": "as many as an operator makes",
    }
    for table in table_finder(list(database.TABLES)):
        name = table._meta.tablename
        if "expires_at" in {column._meta.name for column in table._meta.columns}:
            assert f"FROM {name} " in swept or name in bounded, name


async def test_sessions_that_have_long_expired_go_and_those_that_live_stay(services, named, clock):
    await make_session(services, await make_user(services))
    clock.now += services.config.session.lifespan + timedelta(days=1)
    lives = await make_session(services, await make_user(services))
    assert await clean(services, named["sessions"], run=True) == Removed("sessions", 1, 1)
    (row,) = await fetch("SELECT id FROM user_session")
    assert row["id"] == lives.session.id


@pytest.mark.parametrize("error", [ZeroDivisionError, DatabaseUnavailable])
async def test_a_table_that_cannot_be_swept_keeps_no_other_from_it(
    services, clock, monkeypatch, caplog, error
):
    """SEC-126: nor does one that the database refuses, nor is all of it done again at once."""

    async def fail(_) -> None:
        raise error

    monkeypatch.setattr(AuditLog, "sweep", fail)
    await take_once("issuer", "response", "assertion", clock.now)
    with caplog.at_level(logging.ERROR):
        assert await worker._sweep(services) == worker.SWEEP_EVERY
    assert await fetch("SELECT digest FROM saml_replay") == []
    assert [(one.message, one.table) for one in caplog.records] == [("sweep failed", "audit_logs")]


async def test_nothing_is_swept_where_there_is_no_database(services, monkeypatch, caplog):
    asked = []

    async def fail(_) -> None:
        asked.append(1)
        raise DatabaseUnavailable

    async def nobody() -> bool:
        return False

    monkeypatch.setattr(upkeep, "is_reachable", nobody)
    for swept in (AuditLog, Flows):
        monkeypatch.setattr(swept, "sweep", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(DatabaseUnavailable):
        await upkeep.sweep(services)
    assert (asked, caplog.records) == ([1], [])


@pytest.mark.parametrize(
    ("name", "table", "columns", "values"),
    [
        (
            "flows",
            "flow",
            ("id", "kind", "state", "content", "csrf_digest", "version", "created_at"),
            lambda at: (new_id(), "login", "login_init", "x", "x", 0, at),
        ),
        (
            "passcodes",
            "passcode",
            ("flow_id", "bound_to", "digest", "tries", "created_at"),
            lambda at: (new_id(), "x", "x", 0, at),
        ),
        ("guesses", "guess_count", ("digest", "guesses"), lambda _: (str(new_id()), 1)),
        (
            "federation_states",
            "federation_state",
            ("digest", "payload"),
            lambda _: (str(new_id()), "x"),
        ),
        (
            "exchange_tokens",
            "exchange_token",
            ("digest", "payload"),
            lambda _: (str(new_id()), "x"),
        ),
        ("saml_replays", "saml_replay", ("digest",), lambda _: (str(new_id()),)),
    ],
)
async def test_what_anybody_can_fill_is_emptied_a_part_at_a_time_sec_126(  # noqa: PLR0917
    named, clock, monkeypatch, name, table, columns, values
):
    """However much there is: no statement runs for long (SEC-125)."""
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    at, found = clock.now, []
    rows = [(*values(at), at + timedelta(minutes=one)) for one in (-2, -1, -1, 0, 0, 1)]
    async with transaction():
        await copy_rows(table, (*columns, "expires_at"), rows)

    async def counted(*asked):
        answer = await fetch(*asked)
        found.append(len(answer))
        return answer

    monkeypatch.setattr(sweeping, "fetch", counted)
    await named[name].sweep()
    assert found == [2, 2, 1]
    (left,) = await fetch(f"SELECT expires_at FROM {table}")
    assert left["expires_at"] > at
