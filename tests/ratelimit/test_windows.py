"""Sliding windows in this process: exact, and bounded in memory."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ratelimit.windows import MemoryWindows, Slot

SPAN = timedelta(seconds=60)


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time():
    return Time()


def slot(name: int, tokens: int = 3, span: timedelta = SPAN) -> Slot:
    return Slot(f"{name:064x}", tokens, span)


steps = st.lists(st.integers(0, 40), min_size=1, max_size=60)


@given(steps, st.integers(1, 5))
def test_no_span_ever_holds_more_than_the_limit_sec_071(pauses, tokens):
    time = Time()
    windows, taken = MemoryWindows(time), []
    for pause in pauses:
        time.advance(pause)
        recent = [at for at in taken if time.now - at < SPAN]
        wait = windows.take([slot(1, tokens)])
        assert (wait == 0) == (len(recent) < tokens)
        if wait == 0:
            taken.append(time.now)
        else:
            assert time.now + timedelta(seconds=wait) == recent[-tokens] + SPAN


@given(steps)
def test_whoever_waits_as_long_as_told_has_room(pauses):
    time = Time()
    windows = MemoryWindows(time)
    for pause in pauses:
        time.advance(pause)
        wait = windows.take([slot(1), slot(2, 5, SPAN * 10)])
        if wait:
            time.advance(wait)
            assert windows.take([slot(1), slot(2, 5, SPAN * 10)]) == 0


def test_all_slots_or_none_are_counted(time):
    windows = MemoryWindows(time)
    for _ in range(2):
        assert windows.take([slot(1, 2)]) == 0
    for _ in range(10):
        assert windows.take([slot(1, 2), slot(2, 1)]) == 60
    assert windows.take([slot(2, 1)]) == 0


def test_what_has_left_its_window_is_forgotten(time):
    windows = MemoryWindows(time)
    for name in range(500):
        windows.take([slot(name)])
    assert len(windows) == 500
    time.advance(61)
    windows.take([slot(1000)])
    assert len(windows) == 1


def test_a_sweep_forgets_nothing_that_still_counts(time):
    windows = MemoryWindows(time)
    day = slot(1, 1, timedelta(days=1))
    windows.take([day])
    for _ in range(30):
        time.advance(61)
        windows.take([slot(2)])
    assert windows.take([day]) > 0


def test_memory_is_bounded_whatever_is_asked_sec_126(time):
    windows = MemoryWindows(time, most=100)
    for name in range(20_000):
        windows.take([slot(name * 7919)])
    assert len(windows) <= 100 + 1024


def test_a_flood_of_keys_neither_pushes_out_a_count_nor_goes_uncounted_sec_069_126(time):
    windows = MemoryWindows(time, most=100)
    victim = slot(1, 1)
    windows.take([victim])
    flood = [windows.take([slot(name, 1)]) for name in range(2, 20_002)]
    assert windows.take([victim]) > 0
    assert flood.count(0.0) <= 100 + 1024


def test_a_clock_that_jumps_back_shuts_nobody_out_for_longer_than_a_span(time):
    windows = MemoryWindows(time)
    for _ in range(3):
        windows.take([slot(1)])
    time.advance(-86_400)
    assert windows.take([slot(1)]) == 60
