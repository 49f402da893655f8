"""Lists of users, page by page."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from factories import make_user
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.access import SYSTEM
from app.paging import DEFAULT_PAGE, MAX_PAGE, Page, PageRefused, PageRequest, Position
from app.users import NewUser, ProfileChanges, UserFilter, UserOrder

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@pytest.fixture
async def seven(services, clock):
    """Seven users; three of them came at one moment."""
    users = []
    for n in range(7):
        if not 2 < n < 5:
            clock.advance(microseconds=1 if n % 2 else 10**6)
        new = NewUser(profile=ProfileChanges(username=f"user_{n}"))
        users.append((await services.users.create(SYSTEM, new))[0])
    return sorted(users, key=lambda user: (user.created_at, user.id))


def position(user) -> Position:
    return Position(user.created_at, user.id)


class TestPages:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    @pytest.mark.parametrize("order", list(UserOrder))
    async def test_walking_forwards_meets_everyone_once_in_order(
        self, services, seven, size, order
    ):
        expected = seven if order is UserOrder.CREATED_AT_ASC else seven[::-1]
        met, asked = [], PageRequest(size)
        while True:
            page = await services.user_search.page(asked, None, order)
            assert page.has_previous == bool(met)
            met += page.items
            if not page.has_next:
                break
            asked = PageRequest(size, beyond=position(page.items[-1]))
        assert met == expected

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    @pytest.mark.parametrize("order", list(UserOrder))
    async def test_walking_backwards_meets_everyone_once_in_the_same_order(
        self, services, seven, size, order
    ):
        expected = seven if order is UserOrder.CREATED_AT_ASC else seven[::-1]
        met, asked = [], PageRequest(size, backwards=True)
        while True:
            page = await services.user_search.page(asked, None, order)
            assert page.has_next == bool(met)
            met = [*page.items, *met]
            if not page.has_previous:
                break
            asked = PageRequest(size, backwards=True, beyond=position(page.items[0]))
        assert met == expected

    async def test_a_page_of_none_says_whether_there_are_any(self, services, seven):
        page = await services.user_search.page(PageRequest(0))
        assert (page.items, page.has_next, page.has_previous) == ((), True, False)

    async def test_a_list_of_nobody_is_one_empty_page(self, services):
        assert await services.user_search.page(PageRequest()) == Page(
            (), has_next=False, has_previous=False
        )

    async def test_who_joins_or_leaves_in_between_makes_nobody_appear_twice(self, services, seven):
        first = await services.user_search.page(PageRequest(3))
        await make_user(services)
        await services.users.delete(SYSTEM, first.items[-1].id)
        second = await services.user_search.page(PageRequest(100, beyond=position(first.items[-1])))
        assert [*first.items, *second.items] == seven[::-1]

    @pytest.mark.parametrize("at", [EARLIEST, LATEST, datetime(1969, 12, 31, tzinfo=UTC)])
    @pytest.mark.parametrize("backwards", [True, False])
    async def test_a_forged_cursor_is_at_worst_another_place(self, services, seven, at, backwards):
        """SEC-098"""
        for number in (0, 2**128 - 1):
            cursor = Position(at, UUID(int=number)).cursor()
            asked = PageRequest(100, backwards, Position.read(cursor, "after"))
            page = await services.user_search.page(asked)
            everyone = (at == LATEST) != backwards
            assert page.items == (tuple(seven[::-1]) if everyone else ())


class TestRequest:
    def test_without_a_size_there_are_twenty(self):
        """SEC-098"""
        assert PageRequest.of() == PageRequest(20, backwards=False, beyond=None)
        assert PageRequest.of(before=None, last=None) == PageRequest(DEFAULT_PAGE)

    @pytest.mark.parametrize("size", [0, 1, MAX_PAGE])
    def test_a_size_from_none_to_a_hundred_is_given(self, size):
        assert PageRequest.of(first=size) == PageRequest(size)
        assert PageRequest.of(last=size) == PageRequest(size, backwards=True)

    @pytest.mark.parametrize("size", [-1, MAX_PAGE + 1, 2**31, -(2**63)])
    def test_another_size_is_refused(self, size):
        """SEC-098"""
        for name in ("first", "last"):
            with pytest.raises(PageRefused) as refused:
                PageRequest.of(**{name: size})
            assert refused.value.path == (name,)
            assert refused.value.code == "page_refused"

    def test_one_direction_at_a_time(self):
        cursor = Position(LATEST, UUID(int=1)).cursor()
        for both in (
            {"first": 1, "last": 1},
            {"after": cursor, "before": cursor},
            {"first": 1, "before": cursor},
            {"after": cursor, "last": 1},
        ):
            with pytest.raises(PageRefused):
                PageRequest.of(**both)

    def test_a_cursor_alone_chooses_the_direction(self):
        place = Position(LATEST, UUID(int=1))
        assert PageRequest.of(after=place.cursor()) == PageRequest(20, beyond=place)
        assert PageRequest.of(before=place.cursor()) == PageRequest(backwards=True, beyond=place)


class TestCursor:
    @given(st.datetimes(timezones=st.just(UTC)), st.uuids())
    @example(EARLIEST, UUID(int=0))
    @example(LATEST, UUID(int=2**128 - 1))
    def test_a_cursor_leads_back_to_its_place(self, at, user_id):
        place = Position(at, user_id)
        assert Position.read(place.cursor(), "after") == place
        assert place.cursor().isascii()

    def test_times_of_other_zones_are_the_same_place(self):
        at = datetime(2026, 1, 1, tzinfo=UTC)
        east = at.astimezone(tz=datetime.strptime("+0900", "%z").tzinfo)
        assert Position(east, UUID(int=1)).cursor() == Position(at, UUID(int=1)).cursor()

    @given(
        st.text(max_size=48)
        | st.binary(max_size=36).map(base64.urlsafe_b64encode).map(bytes.decode)
    )
    @example("")
    @example("=")
    @example("\ud800")
    @example("é" * 32)
    @example("A" * 31)
    @example("A" * 33)
    @example("A" * 100_000)
    def test_no_text_raises_anything_but_a_refusal(self, text):
        """SEC-098"""
        try:
            found = Position.read(text, "after")
        except PageRefused as refused:
            assert refused.path == ("after",)
            assert str(refused) == "`after` is no cursor of this list."
        else:
            assert Position.read(found.cursor(), "after") == found

    @given(st.binary(min_size=24, max_size=24))
    @example(b"\x7f" + b"\xff" * 23)
    @example(b"\x80" + b"\0" * 23)
    def test_no_twenty_four_bytes_raise_anything_but_a_refusal(self, raw):
        """SEC-098"""
        try:
            Position.read(_written(raw), "before")
        except PageRefused as refused:
            assert refused.path == ("before",)

    @given(st.integers(0, 31))
    def test_a_truncated_cursor_is_refused(self, length):
        """SEC-098"""
        cursor = Position(LATEST - timedelta(days=1), UUID(int=5)).cursor()
        with pytest.raises(PageRefused):
            PageRequest.of(after=cursor[:length])


@settings(max_examples=60)
@given(raw=st.binary(min_size=24, max_size=24), backwards=st.booleans())
async def test_no_cursor_that_is_read_breaks_the_list(services, raw, backwards):
    """SEC-098, SEC-121"""
    try:
        place = Position.read(_written(raw), "after")
    except PageRefused:
        return
    page = await services.user_search.page(PageRequest(5, backwards, place))
    assert page.items == ()


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


class TestNumberedPages:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    @pytest.mark.parametrize("order", list(UserOrder))
    async def test_walking_meets_everyone_once_in_order(self, services, seven, size, order):
        expected = seven if order is UserOrder.CREATED_AT_ASC else seven[::-1]
        met, everyone = [], UserFilter()
        for skip in range(0, 7, size):
            met += await services.user_search.numbered(everyone, order, skip=skip, size=size)
        assert met == expected
        assert await services.user_search.numbered(everyone, order, skip=7, size=size) == []

    async def test_those_who_are_asked_for_are_counted(self, services, seven):
        assert await services.user_search.count(UserFilter()) == 7
        assert await services.user_search.count(UserFilter(username_has="USER_3")) == 1
        assert await services.user_search.count(UserFilter(username_has="nobody")) == 0
