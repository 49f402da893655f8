"""Trusted devices: a cookie that anyone may write, and rows that decide."""

import base64
from uuid import UUID, uuid4

import msgspec
import pytest
from factories import make_user, reconfigured
from hypothesis import given
from hypothesis import strategies as st

from app.access import SYSTEM, Actor, Origin
from app.credentials import trusted_device_cookie as cookies
from app.credentials.errors import TrustedDeviceNotFound
from app.credentials.trusted_devices import MOST_DEVICES
from app.errors import NotFound
from app.persistence import fetch

tokens = st.binary(min_size=64, max_size=64).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
entries = st.lists(st.tuples(st.uuids(), tokens), max_size=40)
anything = st.text(st.characters(exclude_categories=()), max_size=300)
pieces = st.sampled_from(["|", ":", "=", str(UUID(int=1)), "A" * 86 + "==", "A", " ", "\0"])


def written(pairs) -> str:
    return "|".join(f"{user_id}:{token}" for user_id, token in pairs)


class TestCookie:
    def test_a_token_is_64_random_bytes_sec_059(self):
        made = {cookies.new_token() for _ in range(100)}
        assert len(made) == 100
        assert {len(token) for token in made} == {88}
        assert {len(base64.urlsafe_b64decode(token)) for token in made} == {64}

    def test_the_newest_entry_stands_first_and_each_user_has_one(self):
        alice, bob = UUID(int=1), UUID(int=2)
        one, two, three = (cookies.new_token() for _ in range(3))
        value = cookies.with_token("", alice, one, 20)
        value = cookies.with_token(value, bob, two, 20)
        assert value == f"{bob}:{two}|{alice}:{one}"
        value = cookies.with_token(value, alice, three, 20)
        assert value == f"{alice}:{three}|{bob}:{two}"
        assert cookies.without(value, alice) == f"{bob}:{two}"
        assert cookies.without("", alice) == ""

    def test_a_bare_token_is_of_whoever_its_row_names(self):
        token = cookies.new_token()
        assert cookies.token_of(token, uuid4()) == token
        alice, new = uuid4(), cookies.new_token()
        assert cookies.with_token(token, alice, new, 20) == f"{alice}:{new}"

    @given(entries, st.integers(1, 30))
    def test_what_is_written_is_read_again(self, pairs, most):
        value = ""
        for user_id, token in pairs:
            value = cookies.with_token(value, user_id, token, most)
        kept = list(dict(reversed(pairs)).items())[:most]
        assert value == written(kept)
        assert len(value) <= 3800
        for user_id, token in kept:
            assert cookies.token_of(value, user_id) == token

    @given(anything | st.lists(pieces, max_size=60).map("".join), st.uuids(), tokens)
    def test_any_text_may_stand_in_the_cookie_sec_124(self, value, user_id, token):
        found = cookies.token_of(value, user_id)
        assert found is None or len(found) == 88
        again = cookies.with_token(value, user_id, token, 20)
        assert again.startswith(f"{user_id}:{token}")
        assert again.count("|") < 20
        assert again.isascii()
        assert cookies.token_of(again, user_id) == token

    @pytest.mark.parametrize(
        "entry",
        [
            "{user}:{token}x",
            "{user}:" + "A" * 88,
            "{user}:" + "A" * 85 + "===",
            "{user}" + "A" * 86 + "==",
            " {user}:{token}",
            "{user}:{token}\n",
            "{{{user}}}:{token}",
            "{user}::{token}",
            "urn:uuid:{user}:{token}",
        ],
    )
    def test_an_entry_that_is_not_ours_to_the_letter_is_not_read(self, entry):
        user = UUID(int=0xABC)
        value = entry.format(user=user, token=cookies.new_token())
        assert cookies.token_of(value, user) is None

    def test_no_more_than_a_cookie_holds_is_read_sec_124(self):
        user, token = uuid4(), cookies.new_token()
        assert cookies.token_of(f"{user}:{token}|" + "x" * 10_000, user) is None
        assert cookies.token_of("|" * 3000 + f"{user}:{token}", user) is None

    def test_of_two_entries_for_a_user_the_first_counts(self):
        user, first, second = uuid4(), cookies.new_token(), cookies.new_token()
        assert cookies.token_of(written([(user, first), (user, second)]), user) == first


class TestTrust:
    async def test_a_browser_is_trusted_for_its_user_alone_sec_059(self, services):
        alice, bob = await make_user(services), await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, alice.id)
        assert await services.trusted_devices.is_trusted(alice.id, cookie)
        token = cookie.partition(":")[2]
        assert not await services.trusted_devices.is_trusted(bob.id, cookie)
        assert not await services.trusted_devices.is_trusted(bob.id, f"{bob.id}:{token}")
        assert await services.trusted_devices.is_trusted(alice.id, token)
        assert not await services.trusted_devices.is_trusted(bob.id, token)
        for nothing in ("", "x", cookies.new_token(), f"{alice.id}:{cookies.new_token()}"):
            assert not await services.trusted_devices.is_trusted(alice.id, nothing)

    async def test_a_browser_is_trusted_for_several_users(self, services):
        alice, bob = await make_user(services), await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, alice.id)
        cookie = await services.trusted_devices.issue(SYSTEM, bob.id, cookie)
        assert cookie.startswith(str(bob.id))
        for user in (alice, bob):
            assert await services.trusted_devices.is_trusted(user.id, cookie)

    async def test_a_new_token_ends_the_one_it_replaces(self, services):
        user = await make_user(services)
        old = await services.trusted_devices.issue(SYSTEM, user.id)
        new = await services.trusted_devices.issue(SYSTEM, user.id, old)
        assert not await services.trusted_devices.is_trusted(user.id, old)
        assert await services.trusted_devices.is_trusted(user.id, new)
        assert len(await services.trusted_devices.of(user.id)) == 1

    async def test_nobody_ends_the_trust_of_another_with_their_token(self, services):
        alice, bob = await make_user(services), await make_user(services)
        hers = await services.trusted_devices.issue(SYSTEM, alice.id)
        stolen = f"{bob.id}:{hers.partition(':')[2]}"
        await services.trusted_devices.issue(SYSTEM, bob.id, stolen)
        assert await services.trusted_devices.is_trusted(alice.id, hers)

    async def test_trust_ends_by_itself_sec_059(self, services, clock):
        user = await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        clock.advance(days=29, hours=23)
        assert await services.trusted_devices.is_trusted(user.id, cookie)
        clock.advance(hours=1)
        assert not await services.trusted_devices.is_trusted(user.id, cookie)
        assert await services.trusted_devices.of(user.id) == []
        await services.trusted_devices.sweep()
        assert await fetch("SELECT 1 AS one FROM trusted_device") == []

    async def test_where_none_is_trusted_none_is(self, services):
        user = await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        mfa = msgspec.structs.replace(services.config.mfa, device_trust_policy="never")
        others = await reconfigured(services, mfa=mfa)
        assert not await others.trusted_devices.is_trusted(user.id, cookie)

    async def test_only_so_many_users_are_kept_on_a_browser(self, services):
        mfa = msgspec.structs.replace(services.config.mfa, device_trust_max_users_per_device=2)
        others, cookie = await reconfigured(services, mfa=mfa), ""
        users = [await make_user(services) for _ in range(3)]
        for user in users:
            cookie = await others.trusted_devices.issue(SYSTEM, user.id, cookie)
        trusted = [await others.trusted_devices.is_trusted(user.id, cookie) for user in users]
        assert trusted == [False, True, True]

    async def test_a_user_has_only_so_many_browsers(self, services, clock):
        user = await make_user(services)
        made = []
        for _ in range(MOST_DEVICES + 2):
            made.append(await services.trusted_devices.issue(SYSTEM, user.id))
            clock.advance(seconds=1)
        assert len(await services.trusted_devices.of(user.id)) == MOST_DEVICES
        trusted = [await services.trusted_devices.is_trusted(user.id, one) for one in made]
        assert trusted == [False] * 2 + [True] * MOST_DEVICES

    async def test_a_user_who_is_not_there_is_not_trusted(self, services):
        with pytest.raises(NotFound):
            await services.trusted_devices.issue(SYSTEM, uuid4())

    async def test_a_token_is_stored_as_a_digest_alone_sec_059_119(self, services):
        user = await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        (row,) = await fetch("SELECT * FROM trusted_device")
        assert cookie.partition(":")[2] not in str(dict(row))
        assert not await services.trusted_devices.is_trusted(user.id, f"{user.id}:{row['digest']}")

    async def test_a_deleted_user_leaves_no_browser_sec_122(self, services):
        user = await make_user(services)
        await services.trusted_devices.issue(SYSTEM, user.id)
        await services.users.delete(SYSTEM, user.id)
        assert await fetch("SELECT 1 AS one FROM trusted_device") == []


class TestForgetting:
    async def test_the_list_names_browsers_and_the_one_that_asks(self, services, clock):
        user = await make_user(services)
        await services.trusted_devices.issue(seen_by("Firefox"), user.id)
        clock.advance(seconds=1)
        cookie = await services.trusted_devices.issue(seen_by("Safari" * 100), user.id)
        newest, oldest = await services.trusted_devices.of(user.id, cookie)
        assert (oldest.user_agent, oldest.is_current) == ("Firefox", False)
        assert (len(newest.user_agent), newest.is_current) == (400, True)
        assert (newest.expires_at - newest.created_at).days == 30
        assert not any(one.is_current for one in await services.trusted_devices.of(user.id))

    async def test_one_is_forgotten_by_its_user_alone(self, services):
        alice, bob = await make_user(services), await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, alice.id)
        (device,) = await services.trusted_devices.of(alice.id)
        with pytest.raises(TrustedDeviceNotFound):
            await services.trusted_devices.forget(SYSTEM, bob.id, device.id)
        assert await services.trusted_devices.is_trusted(alice.id, cookie)
        await services.trusted_devices.forget(SYSTEM, alice.id, device.id)
        assert not await services.trusted_devices.is_trusted(alice.id, cookie)
        with pytest.raises(TrustedDeviceNotFound):
            await services.trusted_devices.forget(SYSTEM, alice.id, device.id)

    async def test_all_are_forgotten_at_once_sec_027_059(self, services):
        alice, bob = await make_user(services), await make_user(services)
        made = [await services.trusted_devices.issue(SYSTEM, alice.id) for _ in range(3)]
        other = await services.trusted_devices.issue(SYSTEM, bob.id)
        assert await services.trusted_devices.forget_all(SYSTEM, alice.id) == 3
        assert await services.trusted_devices.forget_all(SYSTEM, alice.id) == 0
        assert not any(
            [await services.trusted_devices.is_trusted(alice.id, cookie) for cookie in made]
        )
        assert await services.trusted_devices.is_trusted(bob.id, other)

    async def test_records_name_the_browser_and_never_its_token_sec_116_118(self, services):
        user = await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        (device,) = await services.trusted_devices.of(user.id)
        await services.trusted_devices.forget(SYSTEM, user.id, device.id)
        await services.trusted_devices.issue(SYSTEM, user.id)
        await services.trusted_devices.forget_all(SYSTEM, user.id)
        rows = await fetch(
            "SELECT type, details FROM audit_event WHERE type LIKE 'trusted%' ORDER BY type"
        )
        assert [row["type"] for row in rows] == [
            "trusted_device_created",
            "trusted_device_created",
            "trusted_device_forgotten",
            "trusted_devices_forgotten",
        ]
        assert str(device.id) in rows[2]["details"]
        assert cookie.partition(":")[2] not in str([dict(row) for row in rows])


def seen_by(user_agent: str) -> Actor:
    return Actor(origin=Origin("request", "192.0.2.1", user_agent))
