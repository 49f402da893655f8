"""Accounts: made, found, changed, deleted."""

# ruff: noqa: RUF001  # letters that only look alike are the matter here

import asyncio
import json
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from factories import key_actor, make_session, make_user, session_actor

from app.access import SYSTEM
from app.errors import NotFound
from app.metadata import BagChanges, MetadataInvalid
from app.paging import PageRequest
from app.persistence import fetch
from app.selfservice import Oneself
from app.users import (
    EmailInvalid,
    EmailTaken,
    IdentifierMissing,
    NewEmail,
    NewUser,
    PictureInvalid,
    PrimaryEmailWrong,
    ProfileChanges,
    TextInvalid,
    UserExists,
    UsernameInvalid,
    UsernameTaken,
)
from app.users.errors import UserIdInvalid


def named(username: str, **given) -> NewUser:
    return NewUser(profile=ProfileChanges(username=username), **given)


def addressed(*addresses: str, **given) -> NewUser:
    emails = tuple(NewEmail(one, is_primary=n == 0) for n, one in enumerate(addresses))
    return NewUser(emails=emails, **given)


async def events(services, kind: str) -> list[dict]:
    rows = await fetch("SELECT * FROM audit_event WHERE type = $1", kind)
    return [dict(row) for row in rows]


class TestCreate:
    async def test_nobody_has_the_nil_id(self, services):
        with pytest.raises(UserIdInvalid) as refused:
            await services.users.create(SYSTEM, addressed("ada@example.com", id=UUID(int=0)))
        assert refused.value.path == ("id",)
        account, _ = await services.users.create(
            SYSTEM, addressed("ada@example.com", id=UUID(int=1))
        )
        assert account.id == UUID(int=1)

    async def test_an_account_has_what_it_was_given(self, services, clock):
        profile = ProfileChanges(
            username="Ada_1815",
            name=" Ada Lovelace ",
            given_name="Ada",
            family_name="Lovelace",
            picture="https://example.com/ada.png",
            locale="en-GB",
        )
        new = NewUser(emails=(NewEmail(" Ada@Example.com "),), profile=profile)
        account, bags = await services.users.create(SYSTEM, new)
        assert (account.username, account.name) == ("Ada_1815", "Ada Lovelace")
        assert (account.given_name, account.family_name) == ("Ada", "Lovelace")
        assert (account.picture, account.locale) == ("https://example.com/ada.png", "en-GB")
        assert (account.created_at, account.updated_at) == (clock.now, clock.now)
        assert account.last_sign_in_at is None
        assert bags.version == 0
        assert account.id.version == 7
        assert await services.users.by_id(account.id) == account
        (email,) = (await services.users.emails_of([account.id]))[account.id]
        assert (email.address, email.is_primary, email.is_verified) == (
            "Ada@Example.com",
            True,
            False,
        )

    async def test_an_import_keeps_the_id_of_any_version_and_the_time(self, services):
        born = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=9)))
        new = named("ada", id=UUID(int=2**127 + 5), created_at=born)
        account, _ = await services.users.create(SYSTEM, new)
        found = await services.users.by_id(UUID(int=2**127 + 5))
        assert found == account
        assert found.created_at == born

    async def test_the_creator_and_the_masked_address_stand_in_the_audit_log(self, services):
        """SEC-118"""
        actor = await key_actor(services)
        account, _ = await services.users.create(actor, addressed("ada@example.com"))
        (event,) = await events(services, "user_created")
        assert (event["actor_kind"], event["actor_id"]) == ("secret_key", actor.secret_key.id)
        assert event["subject_id"] == account.id
        assert "ada@" not in str(event)

    async def test_an_account_needs_an_address_or_a_user_name(self, services):
        for profile in (ProfileChanges(), ProfileChanges(username=None, name="Ada")):
            with pytest.raises(IdentifierMissing):
                await services.users.create(SYSTEM, NewUser(profile=profile))

    @pytest.mark.parametrize("primaries", [(False, False), (True, True), (True, True, False)])
    async def test_of_several_addresses_exactly_one_is_primary(self, services, primaries):
        emails = tuple(
            NewEmail(f"a{n}@example.com", is_primary=primary) for n, primary in enumerate(primaries)
        )
        with pytest.raises(PrimaryEmailWrong):
            await services.users.create(SYSTEM, NewUser(emails=emails))

    async def test_what_is_refused_leaves_nothing_behind(self, services):
        await services.users.create(SYSTEM, addressed("taken@example.com"))
        for new, refusal in (
            (addressed("free@example.com", "taken@example.com"), EmailTaken),
            (addressed("free@example.com", "FREE@example.com"), EmailTaken),
            (addressed("free@example.com", "no address"), EmailInvalid),
            (addressed("free@example.com", bags=BagChanges(public={"a": "\0"})), MetadataInvalid),
        ):
            with pytest.raises(refusal):
                await services.users.create(SYSTEM, new)
        assert await services.users.by_email("free@example.com") is None
        (row,) = await fetch("SELECT count(*) AS n FROM app_user")
        assert row["n"] == 1
        assert len(await events(services, "user_created")) == 1

    async def test_a_refused_address_is_pointed_at(self, services):
        with pytest.raises(EmailInvalid) as refused:
            await services.users.create(SYSTEM, addressed("a@example.com", "@"))
        assert refused.value.path == ("emails", "1", "address")

    async def test_an_id_is_given_once(self, services):
        user = await make_user(services)
        with pytest.raises(UserExists) as refused:
            await services.users.create(SYSTEM, named("other", id=user.id))
        assert refused.value.path == ("id",)
        assert await services.users.by_username("other") is None

    @pytest.mark.parametrize(
        ("first", "variant"),
        [
            ("Ada", "aDA"),
            ("ada", "ａｄａ"),
            ("fine", "ﬁne"),
            ("strasse", "straße"),
            ("ada", "  ada "),
            ("σίσυφος", "ΣΊΣΥΦΟΣ"),
        ],
    )
    async def test_a_variant_of_a_user_name_is_taken_and_reaches_the_same_account(
        self, services, first, variant
    ):
        """SEC-114"""
        account, _ = await services.users.create(SYSTEM, named(first))
        with pytest.raises(UsernameTaken) as refused:
            await services.users.create(SYSTEM, named(variant))
        assert refused.value.path == ("username",)
        assert await services.users.by_username(variant) == account

    @pytest.mark.parametrize(
        ("first", "variant"),
        [
            ("ada@example.com", "ADA@EXAMPLE.COM"),
            ("ada@example.com", " ada@example.com  "),
            ("ada@example.com", "ａｄａ@ｅｘａｍｐｌｅ。com"),
            ("fine@example.com", "ﬁne@example.com"),
            ("strasse@example.com", "straße@example.com"),
            ("a@münchen.example", "A@xn--mnchen-3ya.example"),
        ],
    )
    async def test_a_variant_of_an_address_is_taken_and_reaches_the_same_account(
        self, services, first, variant
    ):
        """SEC-114"""
        account, _ = await services.users.create(SYSTEM, addressed(first))
        with pytest.raises(EmailTaken):
            await services.users.create(SYSTEM, addressed(variant))
        assert await services.users.by_email(variant) == account

    @pytest.mark.parametrize(
        ("one", "other"),
        [("mike@example.com", "mıke@example.com"), ("a@strasse.example", "a@straße.example")],
    )
    async def test_an_address_that_only_looks_alike_reaches_another_account(
        self, services, one, other
    ):
        """SEC-114: the dotless i is no i, and the two domains are two."""
        first, _ = await services.users.create(SYSTEM, addressed(one))
        assert await services.users.by_email(other) is None
        second, _ = await services.users.create(SYSTEM, addressed(other))
        assert (await services.users.by_email(one)).id == first.id
        assert (await services.users.by_email(other)).id == second.id

    async def test_of_many_creations_of_one_name_at_once_one_succeeds(self, services):
        """SEC-114, SEC-137"""
        spellings = ("ada", "ADA", "ａｄａ", " ada ")
        outcomes = await asyncio.gather(
            *(services.users.create(SYSTEM, named(spellings[n % 4])) for n in range(20)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, UsernameTaken) for one in outcomes) == 19
        (row,) = await fetch("SELECT count(*) AS n FROM app_user")
        assert row["n"] == 1

    async def test_of_many_creations_of_one_address_at_once_one_succeeds(self, services):
        """SEC-114, SEC-137"""
        spellings = ("ada@example.com", "ADA@EXAMPLE.COM", "ａda@example.com", "ada@example.COM ")
        outcomes = await asyncio.gather(
            *(services.users.create(SYSTEM, addressed(spellings[n % 4])) for n in range(20)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, EmailTaken) for one in outcomes) == 19
        for table in ("app_user", "email", "user_metadata"):
            (row,) = await fetch(f"SELECT count(*) AS n FROM {table}")
            assert row["n"] == 1


class TestFind:
    async def test_nobody_is_found_by_what_nobody_has(self, services):
        await make_user(services, email="ada@example.com", username="ada")
        assert await services.users.by_id(uuid4()) is None
        for text in ("", "eve", "a", "ada%", "ad_", "' OR 1=1 --", "\0", "\ud800", "ada\0"):
            assert await services.users.by_username(text) is None
            assert await services.users.by_email(text) is None
            assert await services.users.by_email(f"{text}x@example.com") is None

    async def test_nobodys_addresses_are_none(self, services):
        assert await services.users.emails_of([]) == {}
        stranger = uuid4()
        assert await services.users.emails_of([stranger]) == {stranger: []}


class TestUpdate:
    async def test_a_field_left_out_stays_and_null_clears_it(self, services, clock):
        user = await make_user(services, username="ada", name="Ada", locale="en")
        clock.advance(minutes=1)
        changed = await services.users.update(
            SYSTEM, user.id, ProfileChanges(name=None, given_name="A.")
        )
        assert (changed.username, changed.name, changed.given_name) == ("ada", None, "A.")
        assert (changed.locale, changed.updated_at) == ("en", clock.now)
        assert changed.created_at == user.created_at
        assert await services.users.by_id(user.id) == changed

    async def test_no_change_writes_nothing(self, services, clock):
        user = await make_user(services)
        clock.advance(minutes=1)
        assert await services.users.update(SYSTEM, user.id, ProfileChanges()) == user
        assert not await events(services, "user_updated")

    async def test_the_record_names_the_fields_and_no_value(self, services):
        """SEC-116"""
        user = await make_user(services)
        changes = ProfileChanges(username="ada", name="SECRETNAME", picture=None)
        await services.users.update(SYSTEM, user.id, changes)
        (event,) = await events(services, "user_updated")
        assert json.loads(event["details"]) == {"fields": ["name", "picture"]}
        assert "SECRETNAME" not in str(event)

    async def test_a_user_name_has_records_of_its_own(self, services):
        """SEC-118: masked; and none where it stays as it is."""
        user = await make_user(services)
        for username in ("ada_l", "ada_l", None, None):
            await services.users.update(SYSTEM, user.id, ProfileChanges(username=username))
        for kind in ("username_changed", "username_deleted"):
            (event,) = await events(services, kind)
            assert json.loads(event["details"]) == {"username": "a***l"}
        assert not await events(services, "user_updated")

    async def test_nobody_cannot_be_changed(self, services):
        with pytest.raises(NotFound):
            await services.users.update(SYSTEM, uuid4(), ProfileChanges(name="x"))

    async def test_a_name_that_is_taken_is_refused_and_ones_own_is_not(self, services):
        await make_user(services, username="ada")
        user = await make_user(services, username="eve")
        with pytest.raises(UsernameTaken):
            await services.users.update(SYSTEM, user.id, ProfileChanges(username="ADA"))
        changed = await services.users.update(SYSTEM, user.id, ProfileChanges(username="EVE"))
        assert changed.username == "EVE"

    async def test_the_last_thing_that_addresses_an_account_stays(self, services):
        account, _ = await services.users.create(SYSTEM, named("ada"))
        with pytest.raises(IdentifierMissing) as refused:
            await services.users.update(SYSTEM, account.id, ProfileChanges(username=None))
        assert refused.value.path == ("username",)
        await services.users.add_email(SYSTEM, account.id, NewEmail("ada@example.com"))
        changed = await services.users.update(SYSTEM, account.id, ProfileChanges(username=None))
        assert changed.username is None
        assert await services.users.by_username("ada") is None

    @pytest.mark.parametrize(
        "username",
        [
            "",
            "ab",
            "x" * 33,
            "a b",
            "a-b",
            "a.b",
            "a@b",
            "ada!",
            "a\0b",
            "a\nb",
            "😀😀😀",
            "a\u200bb",
            "\ud800ab",
            "İstanbul",
            "a\u202eb",
            "½½½",
        ],
    )
    async def test_a_user_name_is_letters_digits_and_underscores(self, services, username):
        """SEC-114"""
        user = await make_user(services)
        with pytest.raises(UsernameInvalid) as refused:
            await services.users.update(SYSTEM, user.id, ProfileChanges(username=username))
        assert refused.value.path == ("username",)

    @pytest.mark.parametrize("username", ["abc", "x" * 32, "Ünï_çødé", "日本語", "a_1", " abc "])
    async def test_letters_of_any_script_make_a_user_name(self, services, username):
        user = await make_user(services)
        changed = await services.users.update(SYSTEM, user.id, ProfileChanges(username=username))
        assert changed.username == username.strip()

    @pytest.mark.parametrize("field", ["name", "given_name", "family_name", "locale"])
    @pytest.mark.parametrize(
        "text", ["", "  ", "x" * 256, "a\0b", "a\r\nb", "\x1b[1m", "\u202ea", "\u200b", "\ud800"]
    )
    async def test_a_profile_text_is_not_empty_not_long_and_printable(self, services, field, text):
        """SEC-113"""
        user = await make_user(services)
        with pytest.raises(TextInvalid) as refused:
            await services.users.update(SYSTEM, user.id, ProfileChanges(**{field: text}))
        assert refused.value.path == (field,)

    @pytest.mark.parametrize(
        "locale", ["e", "english language", "en_GB", "en-", "-en", "1234", "é"]
    )
    async def test_a_locale_is_a_language_tag(self, services, locale):
        user = await make_user(services)
        with pytest.raises(TextInvalid):
            await services.users.update(SYSTEM, user.id, ProfileChanges(locale=locale))

    @pytest.mark.parametrize("locale", ["en", "en-GB", "zh-Hant-TW", "de-1996"])
    async def test_language_tags_are_locales(self, services, locale):
        user = await make_user(services)
        changed = await services.users.update(SYSTEM, user.id, ProfileChanges(locale=locale))
        assert changed.locale == locale

    @pytest.mark.parametrize(
        "picture",
        [
            "",
            "x",
            "/a.png",
            "//example.com/a.png",
            "ftp://example.com/a.png",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "https://",
            "https:///a.png",
            "https://user:word@example.com/a.png",
            "https://example.com/a b.png",
            "https://example.com/a\nb.png",
            "https://example.com/\u202e.png",
            "https://[::1",
            "https://example.com/" + "x" * 2048,
            "https://example.com/" + "é" * 1020,
        ],
    )
    async def test_a_picture_is_an_address_on_the_web(self, services, picture):
        user = await make_user(services)
        with pytest.raises(PictureInvalid) as refused:
            await services.users.update(SYSTEM, user.id, ProfileChanges(picture=picture))
        assert refused.value.path == ("picture",)


class TestDelete:
    async def test_everything_of_a_user_goes(self, services):
        """SEC-122"""
        user = await make_user(
            services, email="ada@example.com", username="ada_unique", private={"secret": "VALUE"}
        )
        other = await make_user(services)
        token = (await make_session(services, user)).token
        await services.users.delete(SYSTEM, user.id)
        for table in ("app_user", "email", "user_metadata", "user_session"):
            rows = [dict(row) for row in await fetch(f"SELECT * FROM {table}")]
            assert str(user.id) not in str(rows)
        assert await services.users.by_id(user.id) is None
        assert await services.users.by_email("ada@example.com") is None
        assert await services.users.by_username("ada_unique") is None
        assert await services.sessions.authenticate(token) == "revoked"
        assert (await services.user_search.page(PageRequest())).items == (other,)

    async def test_what_the_audit_log_keeps_names_nobody_outright(self, services):
        """SEC-122"""
        user = await make_user(
            services, email="ada.lovelace@example.com", username="ada_unique", name="Ada Lovelace"
        )
        await services.users.delete(await key_actor(services), user.id)
        rows = [dict(row) for row in await fetch("SELECT * FROM audit_event")]
        assert [row["subject_id"] for row in rows if row["type"] == "user_deleted"] == [user.id]
        for clear in ("ada.lovelace", "ada_unique", "Ada Lovelace"):
            assert clear not in str(rows)

    async def test_the_id_is_never_given_out_again(self, services):
        """SEC-122"""
        user = await make_user(services)
        await services.users.delete(SYSTEM, user.id)
        with pytest.raises(UserExists):
            await services.users.create(SYSTEM, named("other", id=user.id))

    async def test_the_address_and_the_name_are_free_and_inherit_nothing(self, services):
        """SEC-122"""
        old = await make_user(
            services, email="ada@example.com", username="ada", name="Ada", public={"a": 1}
        )
        token = (await make_session(services, old)).token
        await services.users.delete(SYSTEM, old.id)
        new, bags = await services.users.create(
            SYSTEM, addressed("ADA@example.com", profile=ProfileChanges(username="Ada"))
        )
        assert new.id != old.id
        assert (new.name, bags.public, bags.version) == (None, "{}", 0)
        (email,) = (await services.users.emails_of([new.id]))[new.id]
        assert not email.is_verified
        assert await services.sessions.authenticate(token) == "revoked"

    async def test_nobody_cannot_be_deleted_and_nobody_twice(self, services):
        user = await make_user(services)
        await services.users.delete(SYSTEM, user.id)
        for gone in (user.id, uuid4()):
            with pytest.raises(NotFound):
                await services.users.delete(SYSTEM, gone)

    async def test_of_many_deletions_at_once_one_succeeds(self, services):
        user = await make_user(services)
        outcomes = await asyncio.gather(
            *(services.users.delete(SYSTEM, user.id) for _ in range(5)), return_exceptions=True
        )
        assert sum(one is None for one in outcomes) == 1
        assert sum(isinstance(one, NotFound) for one in outcomes) == 4
        assert len(await events(services, "user_deleted")) == 1

    async def test_a_session_cannot_outlive_a_deletion_at_the_same_time(self, services):
        """SEC-122, SEC-025"""
        user = await make_user(services)
        await asyncio.gather(
            *(services.sessions.issue(SYSTEM, user.id) for _ in range(4)),
            services.users.delete(SYSTEM, user.id),
            return_exceptions=True,
        )
        (row,) = await fetch("SELECT count(*) AS n FROM user_session")
        assert row["n"] == 0


async def test_a_user_changes_only_the_own_profile(services):
    """SEC-004"""
    user = await make_user(services)
    other = await make_user(services)
    actor = session_actor(await make_session(services, user))
    account, _ = await services.self_service.update(Oneself(actor), ProfileChanges(name="Eve"))
    assert (account.id, account.name) == (user.id, "Eve")
    assert await services.users.by_id(other.id) == other
    (event,) = await events(services, "user_updated")
    assert (event["actor_kind"], event["actor_id"]) == ("user", user.id)


@pytest.mark.parametrize("filler", ["\u115f", "\u1160", "\u3164", "\uffa0"])
async def test_a_letter_that_nobody_sees_makes_no_second_user_name_sec_114(services, filler):
    with pytest.raises(UsernameInvalid):
        await make_user(services, username=f"boss{filler}")
    with pytest.raises(EmailInvalid):
        await make_user(services, email=f"boss{filler}@example.com")
