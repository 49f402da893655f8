"""What a list of users may be asked for; both databases must answer alike."""

# ruff: noqa: RUF001  # letters that only look alike are the matter here

import json
from datetime import timedelta

import pytest
from factories import make_user
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import strictjson
from app.access import SYSTEM
from app.ids import new_id
from app.metadata import Bag, BagChanges, Mode
from app.paging import PageRequest, Position
from app.persistence import fetch
from app.users import MetadataPredicate, NewEmail, NewUser, ProfileChanges, UserFilter
from app.users.filters import MAX_CONDITIONS, MAX_INDEXES, FilterRefused

HOSTILE = (
    "'; DROP TABLE app_user; --",
    "' OR '1'='1",
    '" OR ""="',
    "%",
    "_",
    "ad_",
    "a%",
    "\\",
    "\\'",
    "$1",
    "?1",
    "{}",
    "{0}",
    "%s",
    "/*",
    "--",
    "x' UNION SELECT digest FROM secret_key --",
    "\u02bc",
    "ａ＇",
)
UNSTORABLE = ("\0", "ada\0", "\ud800", "a\udfffb")


async def names(services, wanted: UserFilter | None) -> set[str]:
    page = await services.user_search.page(PageRequest(100), wanted)
    return {account.username for account in page.items}


@pytest.fixture
async def people(services, clock):
    """Four users, a minute apart."""
    made = {}
    for username, address, verified in (
        ("ada", "ada@example.com", True),
        ("adam", "first.man@example.org", False),
        ("eve", "eve@münchen.example", True),
        ("bob_1", None, False),
    ):
        clock.advance(minutes=1)
        emails = (NewEmail(address, is_verified=verified),) if address else ()
        new = NewUser(emails=emails, profile=ProfileChanges(username=username))
        made[username], _ = await services.users.create(SYSTEM, new)
    second = NewEmail("ada.second@example.com")
    await services.users.add_email(SYSTEM, made["ada"].id, second)
    return made


EVERYONE = {"ada", "adam", "eve", "bob_1"}


class TestParts:
    """What the reference's lists are asked by."""

    @pytest.mark.parametrize(
        ("part", "found"),
        [
            ("ada", {"ada"}),
            ("SECOND", {"ada"}),
            ("ａｄａ", {"ada"}),
            ("example.", {"ada", "adam"}),
            (".MAN@", {"adam"}),
            ("münchen", set()),
            ("xn--mnchen", {"eve"}),
            ("", EVERYONE),
            ("  ", EVERYONE),
        ],
    )
    async def test_a_part_of_an_address(self, services, people, part, found):
        """SEC-114: by the key, in which the names of hosts stand in ASCII."""
        assert await names(services, UserFilter(email_has=part)) == found

    @pytest.mark.parametrize(
        ("part", "found"),
        [
            ("da", {"ada", "adam"}),
            ("B_", {"bob_1"}),
            ("_", {"bob_1"}),
            ("d_", set()),
            ("%", set()),
            ("", EVERYONE),
        ],
    )
    async def test_a_part_of_a_user_name(self, services, people, part, found):
        """SEC-114, SEC-121"""
        assert await names(services, UserFilter(username_has=part)) == found

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_a_part_is_a_value_and_never_a_statement(self, services, people, text):
        """SEC-098, SEC-121"""
        in_addresses = {"eve"} if text == "--" else set()  # an IDNA prefix ends like that
        assert await names(services, UserFilter(email_has=text)) == in_addresses
        in_names = {"bob_1"} if text == "_" else set()
        assert await names(services, UserFilter(username_has=text)) == in_names

    @pytest.mark.parametrize("text", [*UNSTORABLE, "x" * 256])
    async def test_a_part_that_nothing_can_hold_is_refused(self, services, text):
        """SEC-098, SEC-124"""
        for wanted, name in (
            (UserFilter(email_has=text), "email_has"),
            (UserFilter(username_has=text), "username_has"),
        ):
            with pytest.raises(FilterRefused) as refused:
                await services.user_search.page(PageRequest(), wanted)
            assert refused.value.path == ("filter", name)

    async def test_ids(self, services, people):
        some = (people["ada"].id, people["eve"].id, new_id())
        assert await names(services, UserFilter(ids=some)) == {"ada", "eve"}
        assert await names(services, UserFilter(ids=some, username_has="a")) == {"ada"}
        with pytest.raises(FilterRefused):
            await services.user_search.page(PageRequest(), UserFilter(ids=some * 40))


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("ada", {"ada", "adam"}),
            ("ADA", {"ada", "adam"}),
            ("ａｄａ", {"ada", "adam"}),
            (" ada ", {"ada", "adam"}),
            ("adam", {"adam"}),
            ("ada@example.com", {"ada"}),
            ("ada.second@", {"ada"}),
            ("first", {"adam"}),
            ("man", set()),
            ("bob_1", {"bob_1"}),
            ("bob", {"bob_1"}),
            ("", EVERYONE),
            ("  ", EVERYONE),
            ("z", set()),
        ],
    )
    async def test_a_search_finds_names_and_addresses_by_how_they_begin(
        self, services, people, search, found
    ):
        assert await names(services, UserFilter(search=search)) == found

    @pytest.mark.parametrize(
        ("email", "found"),
        [
            ("ada@example.com", {"ada"}),
            ("ADA@EXAMPLE.COM", {"ada"}),
            ("ada.second@example.com", {"ada"}),
            ("eve@xn--mnchen-3ya.example", {"eve"}),
            ("ada@", set()),
            ("", set()),
            ("nobody@example.com", set()),
        ],
    )
    async def test_an_address_is_asked_for_as_a_whole(self, services, people, email, found):
        """SEC-114"""
        assert await names(services, UserFilter(email=email)) == found

    async def test_verified_asks_about_the_primary_address(self, services, people):
        assert await names(services, UserFilter(email_verified=True)) == {"ada", "eve"}
        assert await names(services, UserFilter(email_verified=False)) == {"adam"}

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_a_hostile_text_is_a_value_and_never_sql(self, services, people, text):
        """SEC-098, SEC-121"""
        hostile = NewUser(profile=ProfileChanges(username="hostile"))
        account, _ = await services.users.create(SYSTEM, hostile)
        await services.metadata.change(SYSTEM, account.id, BagChanges(unsafe={"k": text}))
        assert await names(services, UserFilter(search=text)) == set()
        assert await names(services, UserFilter(email=text)) == set()
        predicate = MetadataPredicate(Bag.UNSAFE, "k", equals=text)
        assert await names(services, UserFilter(metadata=predicate)) == {"hostile"}
        await _asked_or_refused(
            services, UserFilter(metadata=MetadataPredicate(Bag.UNSAFE, text, exists=True))
        )
        assert await names(services, None) == EVERYONE | {"hostile"}

    @pytest.mark.parametrize("text", UNSTORABLE)
    async def test_a_text_that_nothing_holds_is_refused_or_finds_nobody(
        self, services, people, text
    ):
        """SEC-121"""
        assert await names(services, UserFilter(email=text)) == set()
        for wanted in (
            UserFilter(search=text),
            UserFilter(metadata=MetadataPredicate(Bag.PUBLIC, text, exists=True)),
            UserFilter(metadata=MetadataPredicate(Bag.PUBLIC, "plan", equals=text)),
            UserFilter(metadata=MetadataPredicate(Bag.PUBLIC, "plan", equals={"a": [text]})),
            UserFilter(metadata=MetadataPredicate(Bag.PUBLIC, "plan", equals={text: 1})),
        ):
            with pytest.raises(FilterRefused) as refused:
                await services.user_search.page(PageRequest(), wanted)
            assert refused.value.path[0] == "filter"

    @settings(max_examples=60)
    @given(search=st.text(max_size=6) | st.sampled_from(["ad", "E", "bob_", "ﬁ", "\U0010ffff"]))
    async def test_no_search_raises_anything_but_a_refusal(self, services, search):
        """SEC-121"""
        await _asked_or_refused(services, UserFilter(search=search, email=search))


class TestRanges:
    async def test_the_time_of_creation_is_asked_for_between_two_moments(self, services, people):
        ada, adam = people["ada"].created_at, people["adam"].created_at
        just = timedelta(microseconds=1)
        assert await names(services, UserFilter(created_after=ada)) == EVERYONE - {"ada"}
        assert await names(services, UserFilter(created_after=ada - just)) == EVERYONE
        assert await names(services, UserFilter(created_before=ada)) == set()
        assert await names(services, UserFilter(created_before=ada + just)) == {"ada"}
        between = UserFilter(created_after=ada, created_before=adam + just)
        assert await names(services, between) == {"adam"}

    async def test_who_never_signed_in_is_in_no_range_of_sign_ins(self, services, people, clock):
        await fetch(
            "UPDATE app_user SET last_sign_in_at = $1 WHERE id = $2", clock.now, people["eve"].id
        )
        hour = timedelta(hours=1)
        after = UserFilter(signed_in_after=clock.now - hour)
        before = UserFilter(signed_in_before=clock.now + hour)
        assert await names(services, after) == {"eve"}
        assert await names(services, before) == {"eve"}
        assert await names(services, UserFilter(signed_in_after=clock.now)) == set()
        assert await names(services, UserFilter(none_of=after)) == EVERYONE - {"eve"}


class TestCombinations:
    async def test_every_part_that_is_given_must_hold(self, services, people):
        wanted = UserFilter(search="ada", email_verified=False)
        assert await names(services, wanted) == {"adam"}

    async def test_all_any_and_none(self, services, people):
        ada, eve = UserFilter(search="ada"), UserFilter(search="eve")
        verified = UserFilter(email_verified=True)
        assert await names(services, UserFilter(all_of=(ada, verified))) == {"ada"}
        assert await names(services, UserFilter(any_of=(eve, ada))) == {"ada", "adam", "eve"}
        assert await names(services, UserFilter(none_of=verified)) == {"adam", "bob_1"}
        neither = UserFilter(none_of=UserFilter(any_of=(eve, ada)))
        assert await names(services, neither) == {"bob_1"}
        twice = UserFilter(none_of=UserFilter(none_of=ada))
        assert await names(services, twice) == {"ada", "adam"}
        mixed = UserFilter(any_of=(eve, UserFilter(all_of=(ada,), none_of=verified)))
        assert await names(services, mixed) == {"eve", "adam"}

    async def test_a_user_without_a_name_is_not_whom_a_search_leaves_out(self, services, people):
        nameless = await make_user(services, email="x@example.com")
        page = await services.user_search.page(
            PageRequest(100), UserFilter(none_of=UserFilter(search="ada"))
        )
        found = {account.id for account in page.items}
        assert found == {nameless.id, people["eve"].id, people["bob_1"].id}

    async def test_what_asks_nothing_finds_everyone(self, services, people):
        nothing = UserFilter()
        for wanted in (
            None,
            nothing,
            UserFilter(all_of=(nothing,), any_of=(nothing,), none_of=nothing),
        ):
            assert await names(services, wanted) == EVERYONE

    async def test_a_page_goes_on_under_the_same_filter(self, services, people):
        wanted = UserFilter(search="ada")
        first = await services.user_search.page(PageRequest(1), wanted)
        assert first.has_next
        last = first.items[-1]
        asked = PageRequest.of(1, _cursor(last))
        second = await services.user_search.page(asked, wanted)
        assert {first.items[0].username, second.items[0].username} == {"ada", "adam"}
        assert not second.has_next

    async def test_a_filter_of_too_many_parts_is_refused(self, services):
        """SEC-098"""
        one = UserFilter(search="a")
        await services.user_search.page(
            PageRequest(), UserFilter(any_of=(one,) * (MAX_CONDITIONS - 1))
        )
        for wanted in (
            UserFilter(any_of=(one,) * MAX_CONDITIONS),
            UserFilter(all_of=(UserFilter(none_of=one),) * (MAX_CONDITIONS // 2)),
        ):
            with pytest.raises(FilterRefused) as refused:
                await services.user_search.page(PageRequest(), wanted)
            assert refused.value.path == ("filter",)


BAGS = {
    "plain": {"plan": "pro", "seats": 5, "active": True, "none": {}, "list": []},
    "nested": {"plan": {"name": "pro", "tags": ["a", {"b": [1, 2]}]}, "0": "key of digits"},
    "objects": {"plan": {"0": "zero", "1": {"2": "deep"}}, "a.b": "dotted", "é": "É"},
    "arrays": {"plan": ["zero", ["one", "two"], {"0": "inner"}], "": "empty"},
    "nulls": {"plan": None, "list": [None]},
    "empty": {},
}
PATHS = (
    ("plan", ["plan"]),
    ("plan.name", ["plan", "name"]),
    ("plan.tags.1.b.0", ["plan", "tags", 1, "b", 0]),
    ("plan.0", ["plan", 0]),
    ("plan.1.2", ["plan", 1, 2]),
    ("plan.1.1", ["plan", 1, 1]),
    ("plan.2.0", ["plan", 2, 0]),
    ("0", [0]),
    ("list.0", ["list", 0]),
    (r"a\.b", ["a.b"]),
    ("a.b", ["a", "b"]),
    ("é", ["é"]),
    ("seats", ["seats"]),
    ("plan.99", ["plan", 99]),
    ("plan.4294967296", ["plan", 4294967296]),
    ("plan.name.x", ["plan", "name", "x"]),
    ("nothing", ["nothing"]),
)
MISSING = object()


@pytest.fixture
async def bags(services):
    """A user for each of `BAGS`, in the public bag, exactly as given."""
    for name, value in BAGS.items():
        new = NewUser(profile=ProfileChanges(username=name))
        account, _ = await services.users.create(SYSTEM, new)
        await services.metadata.change(
            SYSTEM, account.id, BagChanges(public=value), mode=Mode.REPLACE
        )


class TestMetadata:
    @pytest.mark.parametrize(("path", "steps"), PATHS)
    async def test_a_path_leads_to_the_same_value_on_every_database(
        self, services, bags, path, steps
    ):
        there = {name: _at(value, steps) for name, value in BAGS.items()}
        present = {name for name, value in there.items() if value is not MISSING}
        for exists, found in ((True, present), (False, BAGS.keys() - present)):
            predicate = MetadataPredicate(Bag.PUBLIC, path, exists=exists)
            assert await names(services, UserFilter(metadata=predicate)) == found
        for wanted in [*there.values(), "pro", 0, None, [], {}]:
            if wanted is not MISSING:
                predicate = MetadataPredicate(Bag.PUBLIC, path, equals=wanted)
                equal = {name for name in present if _same(there[name], wanted)}
                assert await names(services, UserFilter(metadata=predicate)) == equal

    async def test_each_bag_is_asked_by_its_own_name(self, services):
        await make_user(services, username="one", public={"k": 1}, private={"k": 2})
        await make_user(services, username="two", unsafe={"k": 1})
        for bag, value, found in (
            (Bag.PUBLIC, 1, {"one"}),
            (Bag.PRIVATE, 2, {"one"}),
            (Bag.PRIVATE, 1, set()),
            (Bag.UNSAFE, 1, {"two"}),
        ):
            predicate = MetadataPredicate(bag, "k", equals=value)
            assert await names(services, UserFilter(metadata=predicate)) == found

    @pytest.mark.parametrize(
        ("stored", "asked"),
        [
            ("1.10", "1.1"),
            ("1E5", "100000"),
            ("100000", "1e+05"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("12345678901234567890123456789", "12345678901234567890123456789.0"),
            ('{"a":1,"b":[2]}', '{"b":[2.0],"a":1e0}'),
            (r'"\u00e9"', '"é"'),
            ('"\\u0001\\n"', '"\\u0001\\n"'),
        ],
    )
    async def test_values_are_equal_by_what_they_mean(self, services, stored, asked):
        user = await make_user(services, username="one")
        value = strictjson.parse(f'{{"k":{stored}}}'.encode())
        await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe=value))
        wanted = strictjson.parse(asked.encode())
        predicate = MetadataPredicate(Bag.UNSAFE, "k", equals=wanted)
        assert await names(services, UserFilter(metadata=predicate)) == {"one"}

    @pytest.mark.parametrize(
        ("stored", "asked"),
        [
            ("1", "true"),
            ("0", "false"),
            ("1", '"1"'),
            ("[1,2]", "[2,1]"),
            ('"a"', '"A"'),
            ("12345678901234567890123456789", "12345678901234567890123456788"),
            ("9007199254740993", "9007199254740992"),
            ("{}", "[]"),
            ('"a"', '"a "'),
        ],
    )
    async def test_values_that_mean_something_else_are_not_equal(self, services, stored, asked):
        user = await make_user(services, username="one")
        value = strictjson.parse(f'{{"k":{stored}}}'.encode())
        await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe=value))
        predicate = MetadataPredicate(Bag.UNSAFE, "k", equals=strictjson.parse(asked.encode()))
        assert await names(services, UserFilter(metadata=predicate)) == set()

    async def test_not_equal_holds_for_who_has_nothing_there(self, services, bags):
        pro = UserFilter(metadata=MetadataPredicate(Bag.PUBLIC, "plan", equals="pro"))
        assert await names(services, UserFilter(none_of=pro)) == BAGS.keys() - {"plain"}

    async def test_no_number_that_a_user_may_keep_breaks_the_search(self, services):
        """SEC-121: a user's own bag must not make an operator's list fail."""
        user = await make_user(services, username="one")
        extremes = ["1e308", "-1e308", "1e-400", "0e400", "0." + "1" * 2500, "9" * 308]
        for extreme in extremes:
            value = strictjson.parse(f'{{"n":{extreme}}}'.encode())
            await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe=value))
            predicate = MetadataPredicate(Bag.UNSAFE, "n", equals=value["n"])
            assert await names(services, UserFilter(metadata=predicate)) == {"one"}

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "*",
            "a.*",
            "a?",
            "roles.#",
            "roles.#.name",
            'roles.#(name="a")',
            "@reverse",
            "a|b",
            "a.@reverse",
            "{a,b}",
            "[a,b]",
            "..0",
            "!true",
            "01",
            "a.00",
            "x" * 1025,
            "-1",
            "a.-1",
            "+1",
            " 1",
            r"\01",
            'a"b',
            r"a\"b",
            r"a\\b",
            "a\nb",
            "a\x1fb",
        ],
    )
    async def test_a_path_that_says_more_than_keys_and_indexes_is_refused(self, services, path):
        """SEC-098, SEC-121"""
        for predicate in (
            MetadataPredicate(Bag.PUBLIC, path, exists=True),
            MetadataPredicate(Bag.PUBLIC, path, equals=1),
        ):
            with pytest.raises(FilterRefused) as refused:
                await services.user_search.page(PageRequest(), UserFilter(metadata=predicate))
            assert refused.value.path == ("filter", "metadata", "path")

    async def test_a_path_of_too_many_indexes_is_refused(self, services):
        deepest = ".".join("0" * MAX_INDEXES)
        fits = MetadataPredicate(Bag.PUBLIC, deepest, exists=True)
        await services.user_search.page(PageRequest(), UserFilter(metadata=fits))
        exceeds = MetadataPredicate(Bag.PUBLIC, f"{deepest}.0", exists=True)
        with pytest.raises(FilterRefused):
            await services.user_search.page(PageRequest(), UserFilter(metadata=exceeds))

    @settings(max_examples=100)
    @given(
        key=st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cs", "Cc"])),
        value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
        | st.integers()
        | st.booleans()
        | st.none(),
    )
    @example(key="$", value="$.k")
    @example(key="]", value="'")
    @example(key="k'", value="''")
    @example(key="#-1", value=1)
    @example(key="a[0]", value=1)
    async def test_any_key_finds_its_own_value(self, services, key, value):
        """SEC-008, SEC-121"""
        await fetch("DELETE FROM app_user")
        user = await make_user(services, username="one")
        await make_user(services, username="two", unsafe={"other": 1})
        path = "".join(f"\\{c}" if c in ".*?|#@!{}[]()=<>%" else c for c in key)
        changes = BagChanges(unsafe={key: value})
        await services.metadata.change(SYSTEM, user.id, changes, mode=Mode.REPLACE)
        predicate = MetadataPredicate(Bag.UNSAFE, path, equals=value)
        try:
            found = await names(services, UserFilter(metadata=predicate))
        except FilterRefused:
            assert _looks_like_an_index(key) or not key
        else:
            assert found == {"one"}

    @settings(max_examples=150)
    @given(path=st.text(max_size=6) | st.text("ab01.-+ \\\"'[]$#*@|{}%?", max_size=8))
    @example(path="\ud800")
    @example(path=".")
    @example(path="a.")
    @example(path=".a")
    async def test_no_path_raises_anything_but_a_refusal(self, services, path):
        """SEC-121"""
        predicate = MetadataPredicate(Bag.PUBLIC, path, equals=1)
        await _asked_or_refused(services, UserFilter(metadata=predicate))


async def _asked_or_refused(services, wanted: UserFilter) -> None:
    try:
        await services.user_search.page(PageRequest(100), wanted)
    except FilterRefused as refused:
        assert refused.code == "filter_refused"


def _at(value, steps):
    """Follow a path as the documentation says: a number is an element's or a key's."""
    for step in steps:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        else:
            return MISSING
    return value


def _looks_like_an_index(key: str) -> bool:
    return key.lstrip().lstrip("+-").isdigit()


def _same(one, other) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _cursor(account) -> str:
    return Position(account.created_at, account.id).cursor()
