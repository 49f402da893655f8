"""What state a key is in follows from its times alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from app.keys.timeline import LEEWAY, Life, change_after, ends, signing, states

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = ["next", "active", "retired", None]

moments = st.integers(0, 2000).map(lambda seconds: START + timedelta(seconds=seconds))
lifespans = st.integers(1, 500).map(lambda seconds: timedelta(seconds=seconds))
life = st.builds(
    Life,
    st.uuids(),
    moments,
    st.none() | moments,
    st.none() | moments,
)
rings = st.lists(life, max_size=6, unique_by=lambda one: one.kid)


def key(number: int, created: float = 0, begins: float | None = None, end: float | None = None):
    times = (None if t is None else START + timedelta(seconds=t) for t in (created, begins, end))
    return Life(UUID(int=number), *times)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def settled(lives, lifespan, latest=None):
    found = ends(lives, lifespan, latest)
    return [replace(one, published_until=found.get(one.kid, None)) for one in lives]


def test_a_key_goes_through_its_life_by_the_clock_alone():
    lives = [key(1, 0, 0, 500), key(2, 50, 100), key(3, 60)]
    seen = [[states(lives, at(t)).get(one.kid) for one in lives] for t in (70, 99, 100, 499, 500)]
    assert seen == [
        ["active", "next", "next"],
        ["active", "next", "next"],
        ["retired", "active", "next"],
        ["retired", "active", "next"],
        [None, "active", "next"],
    ]


def test_the_newest_key_is_named_first():
    lives = [key(1, 0, 0), key(3, 20), key(2, 10, 10)]
    assert list(states(lives, at(30))) == [UUID(int=3), UUID(int=2), UUID(int=1)]


def test_a_clock_that_lags_behind_leaves_nobody_without_a_key():
    lives = [key(1, 10, 10), key(2, 10, 20), key(3, 10)]
    assert signing(lives, at(0)) == lives[0]
    assert states(lives, at(0))[UUID(int=1)] == "active"


def test_without_a_date_nothing_signs():
    assert signing([key(1), key(2)], at(0)) is None
    assert signing([], at(0)) is None
    assert states([], at(0)) == {}


@given(rings, moments)
def test_one_key_signs_wherever_one_has_a_date(lives, now):
    active = [kid for kid, state in states(lives, now).items() if state == "active"]
    assert len(active) == any(one.activates_at for one in lives)
    found = signing(lives, now)
    assert active == ([found.kid] if found else [])


@given(st.permutations(range(4)), rings, moments)
def test_replicas_that_read_the_rows_in_another_order_agree(order, lives, now):
    lives = lives[:4]
    shuffled = [lives[n] for n in order if n < len(lives)]
    assert states(shuffled, now) == states(lives, now)
    assert list(states(shuffled, now)) == list(states(lives, now))


@given(rings, lifespans, moments, moments)
def test_a_state_never_goes_back(lives, lifespan, one, other):
    lives = settled(lives, lifespan)
    before, after = (states(lives, now) for now in sorted((one, other)))
    for life in lives:
        assert ORDER.index(before.get(life.kid)) <= ORDER.index(after.get(life.kid))


@given(rings, lifespans, moments, st.integers(0, 500))
def test_a_key_is_published_until_its_last_token_has_expired(lives, lifespan, now, later):
    """SEC-033"""
    lives = settled(lives, lifespan)
    active = signing(lives, now)
    assume(active is not None)
    expiry = now + min(timedelta(seconds=later), lifespan)
    assert active.kid in states(lives, expiry)


@given(rings, moments)
def test_a_key_is_published_before_it_signs_and_while_it_does(lives, now):
    """SEC-033"""
    published = states(lives, now)
    for one in lives:
        if one.activates_at is None or one.activates_at > now:
            assert published[one.kid] in ("next", "active")


@given(rings, moments, moments)
def test_nothing_changes_before_the_next_change(lives, now, later):
    change = change_after(lives, now)
    if change is None:
        assume(later >= now)
    else:
        assert change > now
        assume(now <= later < change)
    assert states(lives, later) == states(lives, now)


@given(rings, lifespans, lifespans, st.none() | moments)
def test_an_end_once_told_is_never_brought_forward(lives, lifespan, other, latest):
    """SEC-033"""
    told = settled(lives, lifespan, latest)
    for before, after in zip(told, settled(told, other), strict=True):
        if before.published_until is not None:
            assert after.published_until >= before.published_until
    assert settled(told, lifespan, latest) == told


class TestEnds:
    def test_the_last_key_has_none_even_where_one_was_told(self):
        assert ends([key(1, 0, 0, 900)], timedelta(hours=1), None) == {UUID(int=1): None}

    def test_a_key_without_a_date_has_none_to_tell(self):
        assert ends([key(1)], timedelta(hours=1), None) == {}

    def test_it_is_a_lifespan_after_the_successor_begins(self):
        """SEC-033"""
        found = ends([key(1, 0, 0), key(2, 0, 100)], timedelta(seconds=50), None)
        assert found == {UUID(int=1): at(150) + LEEWAY, UUID(int=2): None}

    def test_a_token_that_lives_longer_puts_it_off(self):
        """SEC-033"""
        found = ends([key(1, 0, 0), key(2, 0, 100)], timedelta(seconds=50), at(700))
        assert found[UUID(int=1)] == at(700) + LEEWAY

    def test_a_lifespan_that_has_grown_puts_it_off(self):
        """SEC-033"""
        lives = [key(1, 0, 0, 210), key(2, 0, 100)]
        assert ends(lives, timedelta(seconds=500), None)[UUID(int=1)] == at(600) + LEEWAY

    def test_tokens_that_others_have_signed_since_do_not(self):
        lives = [key(1, 0, 0, 210), key(2, 0, 100)]
        assert ends(lives, timedelta(seconds=50), at(5000))[UUID(int=1)] == at(210)
