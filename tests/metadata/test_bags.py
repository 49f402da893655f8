"""The rules of the three bags as a caller of the service meets them."""

import json
import logging
from uuid import uuid4

import msgspec
import pytest
from factories import key_actor, make_session, make_user, session_actor
from hypothesis import given, settings
from hypothesis import strategies as st

from app import strictjson
from app.access import SYSTEM, Actor
from app.config import BagLimit, BagLimits
from app.config.sections import UserMetadata
from app.errors import Conflict, Invalid, NotFound, Unauthenticated
from app.metadata import (
    UNSET,
    Bag,
    BagChanges,
    Bags,
    Metadata,
    MetadataInvalid,
    MetadataNotAnObject,
    MetadataTooLarge,
    MetadataVersionConflict,
    Mode,
)
from app.metadata.patch import check
from app.persistence import fetch
from app.selfservice import Oneself
from app.users import NewEmail, NewUser, ProfileChanges

HOSTILE = (
    "{{ user.private_metadata }}",
    "{{ .User.Metadata.Private }}",
    "${jndi:ldap://example.com/a}",
    "__proto__",
    "constructor",
    "a.b.c",
    "$..*",
    "$[?(@.a)]",
    "roles.#.name",
    "'; DROP TABLE app_user; --",
    '" OR 1=1 --',
    "%s %(a)s {0} $1 ?1",
    "<script>alert(1)</script>",
    "\u202e\u2028\u0085\x1b[31m",
    "../../etc/passwd",
    "\ufeff",
)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
json_objects = st.dictionaries(texts, json_values, max_size=5)


async def stored(services, user) -> Bags:
    (row,) = await fetch("SELECT * FROM user_metadata WHERE user_id = $1", user.id)
    return Bags(user.id, row["public_bag"], row["unsafe_bag"], row["private_bag"], row["version"])


class TestChange:
    async def test_each_change_raises_the_version_by_one_however_many_bags_it_touches(
        self, services
    ):
        user = await make_user(services)
        change = services.metadata.change
        assert (await change(SYSTEM, user.id, BagChanges(public={"a": 1}))).version == 1
        both = BagChanges(public={"b": 1}, private={"c": 1}, unsafe={"d": 1})
        assert (await change(SYSTEM, user.id, both)).version == 2
        assert (await stored(services, user)).version == 2

    async def test_a_change_that_changes_nothing_leaves_the_version(self, services):
        user = await make_user(services, public={"a": 1}, private={"s": 1})
        change = services.metadata.change
        for same in (
            BagChanges(),
            BagChanges(public={}),
            BagChanges(public={"a": 1}, private={"zzz": None}, unsafe=None),
        ):
            after = await change(SYSTEM, user.id, same)
            assert after == await stored(services, user)
            assert after.version == 1

    async def test_a_bag_left_out_stays_and_null_clears_that_bag_alone(self, services):
        """SEC-005"""
        user = await make_user(services, public={"a": 1}, private={"s": 1}, unsafe={"t": 1})
        after = await services.metadata.change(SYSTEM, user.id, BagChanges(private=None))
        assert (after.public, after.private, after.unsafe) == ('{"a":1}', "{}", '{"t":1}')
        assert after == await stored(services, user)

    async def test_a_replaced_bag_holds_what_is_given_and_nothing_else(self, services):
        user = await make_user(services, public={"a": 1, "b": {"c": 1}}, unsafe={"t": 1})
        given_value = {"b": {"n": None}, "l": [None]}
        after = await services.metadata.change(
            SYSTEM, user.id, BagChanges(public=given_value), mode=Mode.REPLACE
        )
        assert after.public == '{"b":{"n":null},"l":[null]}'
        assert after.unsafe == '{"t":1}'
        assert after == await stored(services, user)

    async def test_a_replaced_bag_obeys_the_same_rules(self, services):
        user = await make_user(services, public={"a": 1})
        for wrong, refusal in (
            ([], MetadataNotAnObject),
            ({"a": "\0"}, MetadataInvalid),
            ({"a": "x" * 3000}, MetadataTooLarge),
        ):
            with pytest.raises(refusal):
                await services.metadata.change(
                    SYSTEM, user.id, BagChanges(public=wrong), mode=Mode.REPLACE
                )
        assert (await stored(services, user)).public == '{"a":1}'

    async def test_a_user_that_is_not_there_has_no_bags_to_change(self, services):
        with pytest.raises(NotFound) as refused:
            await services.metadata.change(SYSTEM, uuid4(), BagChanges(public={"a": 1}))
        assert refused.value.code == "not_found"

    async def test_one_refused_bag_refuses_the_whole_change(self, services):
        """SEC-006, SEC-007"""
        user = await make_user(services, public={"n": 1}, private={"n": 1}, unsafe={"n": 1})
        before = await stored(services, user)
        for wrong in ([], {"a": "\ud800"}, {"a": "x" * 3000}):
            for bag in Bag:
                values = {one.value: {"a": 1} for one in Bag} | {bag.value: wrong}
                with pytest.raises(Invalid) as refused:
                    await services.metadata.change(SYSTEM, user.id, BagChanges(**values))
                assert refused.value.path[0] == bag.field
        assert await stored(services, user) == before

    @settings(max_examples=40)
    @given(value=json_objects)
    async def test_what_is_stored_comes_back_character_by_character(self, services, value):
        """SEC-008"""
        user = await make_user(services)
        after = await services.metadata.change(
            SYSTEM, user.id, BagChanges(unsafe=value), mode=Mode.REPLACE
        )
        assert after.unsafe == strictjson.encode(value)
        assert json.loads(after.unsafe) == value
        assert await stored(services, user) == after

    async def test_hostile_keys_and_values_are_data_and_nothing_else(self, services):
        """SEC-008, SEC-121"""
        user = await make_user(services)
        value = {text: {text: [text]} for text in HOSTILE}
        await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe=value))
        after = await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe={"more": 1}))
        assert json.loads(after.unsafe) == value | {"more": 1}
        for text in HOSTILE:
            await services.metadata.change(SYSTEM, user.id, BagChanges(unsafe={text: None}))
        assert (await stored(services, user)).unsafe == '{"more":1}'


class TestIfVersion:
    async def test_a_change_at_the_known_version_goes_through(self, services):
        user = await make_user(services, public={"a": 1})
        after = await services.metadata.change(
            SYSTEM, user.id, BagChanges(public={"b": 1}), if_version=1
        )
        assert (after.version, after.public) == (2, '{"a":1,"b":1}')

    @pytest.mark.parametrize("version", [0, 2, -1])
    async def test_a_change_at_another_version_is_refused_and_told_the_current_one(
        self, services, version
    ):
        user = await make_user(services, public={"a": 1})
        with pytest.raises(MetadataVersionConflict) as refused:
            await services.metadata.change(
                SYSTEM, user.id, BagChanges(private={"b": 1}), if_version=version
            )
        assert isinstance(refused.value, Conflict)
        assert refused.value.code == "metadata_version_conflict"
        assert (refused.value.current_version, refused.value.bag) == (1, Bag.PRIVATE)
        assert (await stored(services, user)).private == "{}"

    async def test_a_condition_without_a_change_is_checked_all_the_same(self, services):
        user = await make_user(services, public={"a": 1})
        with pytest.raises(MetadataVersionConflict) as refused:
            await services.metadata.change(SYSTEM, user.id, BagChanges(), if_version=7)
        assert refused.value.bag is Bag.PUBLIC


class TestOwn:
    async def test_a_session_changes_the_unsafe_bag_of_its_own_user_and_nothing_else(
        self, services
    ):
        """SEC-004"""
        mine = await make_user(services, public={"p": 1}, private={"s": 1}, unsafe={"t": 1})
        other = await make_user(services, unsafe={"o": 1})
        before = await stored(services, other)
        actor = session_actor(await make_session(services, mine))
        _, bags = await services.self_service.update(Oneself(actor), ProfileChanges(), {"u": 2})
        after = await stored(services, mine)
        assert (after.public, after.private, after.unsafe) == (
            '{"p":1}',
            '{"s":1}',
            '{"t":1,"u":2}',
        )
        assert bags == after
        assert await stored(services, other) == before

    async def test_without_a_session_nothing_is_ones_own(self, services):
        """SEC-004, SEC-016: a secret key does not act as a user."""
        for actor in (Actor(), await key_actor(services)):
            with pytest.raises(Unauthenticated):
                await services.self_service.update(Oneself(actor), ProfileChanges(), {"u": 2})

    async def test_profile_and_bag_change_together_or_not_at_all(self, services):
        user = await make_user(services, name="Ada", unsafe={"t": 1})
        actor = session_actor(await make_session(services, user))
        with pytest.raises(MetadataTooLarge):
            await services.self_service.update(
                Oneself(actor), ProfileChanges(name="Eve"), {"t": "x" * 3000}
            )
        with pytest.raises(MetadataVersionConflict):
            await services.self_service.update(Oneself(actor), ProfileChanges(name="Eve"), UNSET, 7)
        assert (await services.users.by_id(user.id)).name == "Ada"
        account, bags = await services.self_service.update(
            Oneself(actor), ProfileChanges(name="Eve")
        )
        assert (account.name, bags) == ("Eve", None)

    async def test_null_clears_the_own_bag(self, services):
        user = await make_user(services, unsafe={"t": 1})
        actor = session_actor(await make_session(services, user))
        _, bags = await services.self_service.update(Oneself(actor), ProfileChanges(), None, 1)
        assert (bags.unsafe, bags.version) == ("{}", 2)


class TestSeed:
    async def test_a_new_user_may_bring_any_bag(self, services):
        user = await make_user(services, public={"a": 1}, private={"s": 1}, unsafe={"t": 1})
        after = await stored(services, user)
        assert (after.public, after.private, after.unsafe) == ('{"a":1}', '{"s":1}', '{"t":1}')
        assert after.version == 1

    async def test_a_new_user_without_bags_has_empty_ones_at_version_nought(self, services):
        assert await stored(services, user := await make_user(services)) == Bags(user.id)

    async def test_a_refused_bag_refuses_the_new_user(self, services):
        """SEC-006, SEC-007"""
        for wrong in ([], {"a": "\0"}, {"a": "x" * 3000}):
            new = NewUser(emails=(NewEmail("ada@example.com"),), bags=BagChanges(unsafe=wrong))
            with pytest.raises(Invalid):
                await services.users.create(SYSTEM, new)
            assert await services.users.by_email("ada@example.com") is None


class TestRead:
    async def test_bags_are_read_for_many_users_and_the_private_one_apart(self, services):
        """SEC-002: what a session sees is read without the private bag."""
        one = await make_user(services, public={"a": 1}, private={"s": 1})
        two = await make_user(services, unsafe={"t": 1})
        found = await services.metadata.of([one.id, two.id, uuid4()])
        assert found == {
            one.id: Bags(one.id, '{"a":1}', "{}", None, 1),
            two.id: Bags(two.id, "{}", '{"t":1}', None, 1),
        }
        private = await services.metadata.private_of([one.id, two.id, uuid4()])
        assert private == {one.id: '{"s":1}', two.id: "{}"}

    async def test_nobodys_bags_are_none(self, services):
        assert await services.metadata.of([]) == {}
        assert await services.metadata.private_of([]) == {}


class TestCaps:
    @pytest.mark.parametrize("bag", [bag.value for bag in Bag])
    @pytest.mark.parametrize(
        ("unit", "fits", "exceeds"),
        [("characters", "é" * 12, "é" * 13), ("bytes", "é" * 6, "é" * 6 + "x")],
    )
    async def test_explicit_caps_hold_to_the_unit(self, services, bag, unit, fits, exceeds):
        """SEC-007: exactly the cap is accepted, one more is refused."""
        caps = BagLimits(**{bag: BagLimit(max=20, unit=unit)})
        metadata = Metadata(UserMetadata(limits=caps), services.templates, services.audit)
        user = await make_user(services)
        after = await metadata.change(SYSTEM, user.id, BagChanges(**{bag: {"k": fits}}))
        with pytest.raises(MetadataTooLarge) as refused:
            await metadata.change(SYSTEM, user.id, BagChanges(**{bag: {"k": exceeds}}))
        assert await stored(services, user) == after
        assert (refused.value.size, refused.value.limit) == (21, caps_of(caps, bag))
        assert str(refused.value) == f"{bag}_metadata must not exceed 20 {unit}."

    async def test_a_bag_above_a_cap_that_was_lowered_can_still_shrink(self, services):
        user = await make_user(services, public={"a": "x" * 100, "b": 1})
        lowered = UserMetadata(limits=BagLimits(public=BagLimit(max=20)))
        metadata = Metadata(lowered, services.templates, services.audit)
        with pytest.raises(MetadataTooLarge):
            await metadata.change(SYSTEM, user.id, BagChanges(public={"b": 2}))
        after = await metadata.change(SYSTEM, user.id, BagChanges(public={"a": None}))
        assert after.public == '{"b":1}'


class TestCheck:
    @pytest.mark.parametrize("value", [[], "x", 5, True, False, msgspec.Raw(b"1.5")])
    def test_a_bag_is_an_object_or_null(self, value):
        """SEC-006"""
        for bag in Bag:
            with pytest.raises(MetadataNotAnObject) as refused:
                check(bag, value)
            assert refused.value.path == (bag.field,)
        check(Bag.PUBLIC, None)
        check(Bag.PUBLIC, {})

    @pytest.mark.parametrize("shape", ['{"d":%s}', "[%s]", '[{"d":%s}]'])
    def test_thirty_two_levels_are_the_deepest(self, shape):
        """SEC-006"""
        levels = shape.count("{") + shape.count("[")
        inner = "1"
        for _ in range(31 // levels):
            inner = shape % inner
        inner = f"[{inner}]" * (31 % levels) or inner
        fits = strictjson.parse(b'{"top":%s}' % inner.encode())
        assert strictjson.depth(fits) == 32
        check(Bag.PUBLIC, fits)
        with pytest.raises(MetadataInvalid):
            check(Bag.PUBLIC, {"one more": fits})

    @pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\udfff", "\udc00\ud800", "x\ud83d"])
    def test_text_that_no_database_keeps_is_refused_with_its_place(self, text):
        """SEC-006"""
        for value, place in (
            ({"a": text}, ("a",)),
            ({"a": [1, {"b": text}]}, ("a", "1", "b")),
            ({text: 1}, ()),
            ({"a": {text: 1}}, ("a",)),
        ):
            with pytest.raises(MetadataInvalid) as refused:
                check(Bag.UNSAFE, value)
            assert refused.value.path == ("unsafe_metadata", *place)
            assert refused.value.bag is Bag.UNSAFE

    def test_a_whole_pair_and_a_lone_escape_sequence_are_fine(self):
        check(Bag.PUBLIC, {"\U0001f600": "\\u0000", "n": None, "b": [True, 1, msgspec.Raw(b"1.0")]})


class TestAudit:
    async def test_a_record_names_no_private_key_and_no_value(self, services):
        """SEC-116"""
        user = await make_user(services)
        changes = BagChanges(
            public={"plan": "PUBLICVALUE"},
            private={"PRIVATEKEY": "PRIVATEVALUE", "deep": {"DEEPKEY": 1}},
            unsafe={"theme": "UNSAFEVALUE"},
        )
        await services.metadata.change(SYSTEM, user.id, changes)
        await services.metadata.change(SYSTEM, user.id, BagChanges(private={"PRIVATEKEY": None}))
        rows = await fetch("SELECT * FROM audit_event WHERE type = 'metadata_updated'")
        dump = "\n".join(str(dict(row)) for row in rows)
        for secret in ("PRIVATEKEY", "DEEPKEY", "deep", "VALUE"):
            assert secret not in dump
        assert sorted(row["details"] for row in rows) == [
            '{"bags":["private"],"keys":{}}',
            (
                '{"bags":["public","private","unsafe"],'
                '"keys":{"public_metadata":["plan"],"unsafe_metadata":["theme"]}}'
            ),
        ]

    async def test_the_log_repeats_no_private_key_and_no_value(self, services, caplog):
        """SEC-116"""
        caplog.set_level(logging.DEBUG)
        user = await make_user(services)
        changes = BagChanges(public={"plan": "PUBLICVALUE"}, private={"PRIVATEKEY": "SECRET"})
        await services.metadata.change(SYSTEM, user.id, changes)
        dump = "\n".join(str(record.__dict__) for record in caplog.records)
        assert "metadata_updated" in dump
        assert not any(secret in dump for secret in ("PRIVATEKEY", "PUBLICVALUE", "SECRET"))

    async def test_a_refused_change_leaves_no_record(self, services):
        user = await make_user(services)
        with pytest.raises(MetadataNotAnObject):
            await services.metadata.change(SYSTEM, user.id, BagChanges(public=[]))
        assert not await fetch("SELECT id FROM audit_event WHERE type = 'metadata_updated'")


def caps_of(caps: BagLimits, bag: str) -> BagLimit:
    return getattr(caps, bag)
