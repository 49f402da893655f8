"""SEC-134: a process whose clock and the database's are more than a minute apart is not ready."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from faces.clients import Face

from app.persistence import ClockWatch, speaks


@pytest.fixture
def ours(clock):
    clock.now = datetime.now(UTC)
    return clock


@pytest.mark.parametrize("seconds", [-50, 0, 50])
async def test_clocks_within_a_minute_are_ready_sec_134(services, ours, seconds):
    ours.now += timedelta(seconds=seconds)
    assert await services.is_ready()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("seconds", [-90, 90, 100_000])
async def test_clocks_further_apart_clear_readiness_and_raise_an_alarm_sec_134(
    services, ours, caplog, seconds
):
    caplog.set_level(logging.ERROR, "sekisho.clock")
    ours.now += timedelta(seconds=seconds)
    answer = await Face(services).get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})
    assert (await Face(services).get("/health/alive")).status_code == 200
    (said,) = caplog.records
    assert abs(said.seconds_ahead - seconds) < 30
    assert not await services.is_ready()
    assert len(caplog.records) == 1, "once a minute at most"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seconds", [-90, 90, 100_000])
async def test_sqlite_has_no_clock_of_its_own_and_is_ready_sec_134(services, ours, seconds):
    ours.now += timedelta(seconds=seconds)
    assert await services.is_ready()


async def test_the_clock_back_in_time_is_ready_again(services, ours):
    ours.now += timedelta(seconds=500)
    await services.is_ready()
    ours.now -= timedelta(seconds=500)
    assert await services.is_ready()


async def test_the_skew_is_measured(services, ours):
    ours.now += timedelta(seconds=30)
    skew = (await ClockWatch(ours).skew()).total_seconds()
    assert skew == 0 if speaks() == "sqlite" else abs(skew - 30) < 20


async def test_neither_probe_tells_more_than_yes_or_no_sec_140(services, ours):
    for path, body in (("/health/alive", {"alive": True}), ("/health/ready", {"ready": True})):
        for face in (Face(services, "public"), Face(services, "admin")):
            answer = await face.get(path)
            assert answer.json() == body
            assert "server" not in answer.headers
