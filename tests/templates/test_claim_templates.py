"""The template that is in force, and what metadata may do to the claims, on real databases."""

import asyncio
import logging
from dataclasses import replace
from uuid import uuid4

import msgspec
import pytest
from claims.strategies import bags, claims_maps, items, templates
from databases import elsewhere
from factories import key_actor, make_user
from hypothesis import given, settings
from hypothesis import strategies as st
from templates.making import CAPS, with_template

from app import strictjson
from app.access import SYSTEM
from app.assembly import assemble
from app.claims.check import Cap, Caps
from app.claims.claims import RESERVED
from app.claims.errors import (
    ClaimReserved,
    ClaimsTooLarge,
    PrivateMetadataNamed,
    TemplateSyntaxError,
)
from app.config import sections
from app.errors import Invalid, NotFound
from app.metadata import BagChanges, MetadataOverflowsClaims, MetadataRefused, Mode
from app.metadata.patch import unstorable
from app.persistence import fetch, fetch_row
from app.templates import ClaimsNotAnObject, ClaimsTooLong
from app.users import NewEmail, NewUser, ProfileChanges

PLAN = {"plan": '{{ user.public_metadata.plan || "free" }}'}
ROW = "SELECT id, claims, version, updated_at FROM jwt_template"
MARKER = "MARKERofPRIVATE"


async def rendered(services, user, **given):
    subject = await services.templates.subject(user.id)
    return services.templates.render(subject, **given)


async def records():
    return [
        row["details"]
        for row in await fetch(
            "SELECT details FROM audit_event WHERE type = 'jwt_template_updated' ORDER BY at, id"
        )
    ]


async def test_a_server_starts_with_configured_claims_that_are_wrong(fresh, clock, caplog):
    """SEC-009, SEC-010: they are warned of, and no token carries them."""
    caplog.set_level(logging.WARNING)
    claims = {"sub": "x", "private": "{{.User.Metadata.Private}}", "good": "{{.User.Username}}"}
    session = sections.Session(jwt_template=sections.JwtTemplate(claims=claims))
    config = msgspec.structs.replace(await fresh(), session=session)
    async with elsewhere():
        services = assemble(config, clock=clock)
        await services.open()
        services.templates.warn()  # as `serve` does; no other command does
        user = await make_user(services, username="ada")
        assert (await rendered(services, user, report=False)).claims == {"good": "ada"}
    warned = [r for r in caplog.records if r.name == "sekisho.templates"]
    assert [r.claim for r in warned] == ["sub", "private"]


class TestSubject:
    async def test_all_that_claims_can_show_is_read_in_one_statement(self, services):
        user = await make_user(
            services,
            email="ada@example.com",
            username="ada",
            name="Ada Lovelace",
            given_name="Ada",
            family_name="Lovelace",
            picture="https://example.com/a.png",
            public={"plan": "pro"},
            unsafe={"theme": "dark"},
            private={"secret": MARKER},
        )
        await services.users.add_email(SYSTEM, user.id, NewEmail("other@example.com"))
        await services.templates.set(SYSTEM, PLAN, allow_omission=True)
        subject = await services.templates.subject(user.id)
        assert subject.as_user() == {
            "user_id": str(user.id),
            "username": "ada",
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "picture": "https://example.com/a.png",
            "email": {"address": "ada@example.com", "is_primary": True, "is_verified": True},
            "public_metadata_raw": '{"plan":"pro"}',
            "unsafe_metadata_raw": '{"theme":"dark"}',
        }
        assert (subject.metadata_version, subject.template) == (1, strictjson.encode(PLAN))
        assert MARKER not in repr(subject)

    async def test_a_user_without_address_bags_or_template_is_a_subject_too(self, services):
        new = NewUser(profile=ProfileChanges(username="bob"))
        user, _ = await services.users.create(SYSTEM, new)
        await fetch("DELETE FROM user_metadata WHERE user_id = $1", user.id)
        subject = await services.templates.subject(user.id)
        assert (subject.email, subject.public, subject.unsafe) == (None, "{}", "{}")
        assert (subject.metadata_version, subject.template) == (0, None)

    async def test_nobody_is_none(self, services):
        assert await services.templates.subject(uuid4()) is None


class TestSet:
    async def test_what_is_set_is_in_force_at_once(self, services, clock):
        ours = with_template(services)
        user = await make_user(services, public={"plan": "pro"})
        assert (await rendered(ours, user)).claims == {}
        made = await ours.templates.set(SYSTEM, PLAN)
        assert (made.claims, made.source, made.version) == (PLAN, "database", 1)
        assert made.updated_at == clock.now
        assert await ours.templates.live() == made
        assert (await rendered(ours, user)).claims == {"plan": "pro"}

    async def test_each_change_has_the_next_version(self, services, clock):
        ours = with_template(services)
        await ours.templates.set(SYSTEM, PLAN)
        clock.advance(seconds=5)
        second = await ours.templates.set(SYSTEM, {})
        assert (second.version, second.updated_at, second.claims) == (2, clock.now, {})
        row = await fetch_row(ROW)
        assert (row["id"], row["claims"], row["version"]) == (1, "{}", 2)

    async def test_changes_at_once_come_one_after_the_other(self, services):
        made = await asyncio.gather(
            *(services.templates.set(SYSTEM, {f"c{n}": n}) for n in range(6))
        )
        assert sorted(template.version for template in made) == [1, 2, 3, 4, 5, 6]
        last = max(made, key=lambda template: template.version)
        assert (await services.templates.live()).claims == last.claims

    async def test_numbers_and_order_are_kept_as_they_were_sent(self, services):
        text = '{"z":1.10,"a":12345678901234567890,"m":{"y":1e3,"b":[-0,true,null]}}'
        await services.templates.set(SYSTEM, strictjson.parse(text.encode()))
        assert (await fetch_row(ROW))["claims"] == text
        user = await make_user(services)
        shown = await rendered(services, user)
        assert strictjson.encode(shown.claims) == text

    @pytest.mark.parametrize(
        ("claims", "refusal", "path"),
        [
            ([], ClaimsNotAnObject, ()),
            ({"a": {"b": ["x", "{{"]}}, TemplateSyntaxError, ("a", "b", "1")),
            ({"a": "{{ user.email }}"}, TemplateSyntaxError, ("a",)),
            ({"a": "\ud800"}, TemplateSyntaxError, ("a",)),
            ({"a": "\0"}, TemplateSyntaxError, ("a",)),
            ({"a": ["{{.User.Metadata.Private}}"]}, PrivateMetadataNamed, ("a", "0")),
            ({"a": "{{user.private_metadata.x}}"}, PrivateMetadataNamed, ("a",)),
            ({"ok": 1, "sub": "x"}, ClaimReserved, ("sub",)),
            ({"a": "x" * 17_000}, ClaimsTooLong, ()),
            ({"a": "x" * 1200}, ClaimsTooLarge, ()),
            ({"a": "{{range 3}}x{{end}}"}, ClaimsTooLarge, ()),
            ({"a": ["{{user.public_metadata}}"] * 3}, ClaimsTooLarge, ()),
        ],
        ids=str,
    )
    async def test_what_breaks_a_rule_changes_nothing_sec_009_010(
        self, services, claims, refusal, path
    ):
        ours = with_template(services)
        await ours.templates.set(SYSTEM, PLAN)
        before = await ours.templates.live()
        with pytest.raises(refusal) as refused:
            await ours.templates.set(SYSTEM, claims)
        assert refused.value.path == ("claims", *path)
        assert await ours.templates.live() == before
        assert len(await records()) == 1

    @pytest.mark.parametrize("name", sorted(RESERVED))
    async def test_no_reserved_claim_can_be_saved_sec_010(self, services, name):
        with pytest.raises(ClaimReserved):
            await services.templates.set(SYSTEM, {name: "x"}, allow_omission=True)
        assert await fetch_row(ROW) is None

    async def test_the_refusal_of_the_size_says_the_ways_out_sec_010(self, services):
        ours = with_template(services)
        large = {"a": ["{{user.public_metadata}}"] * 3}
        with pytest.raises(ClaimsTooLarge) as refused:
            await ours.templates.set(SYSTEM, large)
        assert refused.value.message == (
            "The claims can take 1548 bytes, 1200 are allowed. Lower the caps of the bags "
            "(user_metadata.limits), or allow omission (allowOmission)."
        )
        await ours.templates.set(SYSTEM, large, allow_omission=True)
        tiny = with_template(services, caps=Caps(Cap(300), Cap(300)), budget=3 * 4 * 300 + 20)
        await tiny.templates.set(SYSTEM, large)

    async def test_without_a_budget_no_size_is_asked_for(self, services):
        ours = with_template(services, budget=0)
        await ours.templates.set(SYSTEM, {"a": "{{range 3}}x{{end}}", "b": "x" * 2000})
        user = await make_user(services)
        assert (await rendered(ours, user)).claims == {"a": "xxx", "b": "x" * 2000}
        assert (await rendered(ours, user, room=100)).claims == {"a": "xxx"}

    async def test_the_record_names_the_claims_and_nothing_else(self, services, clock):
        actor = await key_actor(services)
        await services.templates.set(actor, {"b": "TEMPLATE", "a": {"inner": "TEMPLATE"}})
        clock.advance(seconds=1)
        await services.templates.reset(actor)
        assert await records() == ['{"claims":["a","b"]}', '{"claims":[]}']
        row = await fetch_row(
            "SELECT actor_id FROM audit_event WHERE type = 'jwt_template_updated'"
        )
        assert row["actor_id"] == actor.secret_key.id


class TestReset:
    async def test_the_configured_claims_are_in_force_again(self, services):
        ours = with_template(services, claims={"from": "file"})
        user = await make_user(services)
        await ours.templates.set(SYSTEM, {"from": "database"})
        assert (await rendered(ours, user)).claims == {"from": "database"}
        back = await ours.templates.reset(SYSTEM)
        assert (back.claims, back.source, back.version) == ({"from": "file"}, "configuration", 0)
        assert back.updated_at is None
        assert await ours.templates.live() == back
        assert (await rendered(ours, user)).claims == {"from": "file"}

    async def test_a_reset_of_nothing_changes_nothing(self, services):
        await services.templates.reset(SYSTEM)
        assert await records() == []


class TestPreview:
    async def test_claims_are_tried_out_and_not_kept(self, services):
        user = await make_user(services, public={"plan": "pro"})
        await services.templates.set(SYSTEM, {"live": "yes"})
        tried = await services.templates.preview(
            user.id, {**PLAN, "theme": "{{user.unsafe_metadata.theme}}"}
        )
        assert (tried.claims, tried.size) == ({"plan": "pro"}, len('{"plan":"pro"}'))
        assert [o.claim for o in tried.omitted] == ["theme"]
        assert (await services.templates.live()).claims == {"live": "yes"}
        assert (await services.templates.preview(user.id)).claims == {"live": "yes"}
        assert len(await records()) == 1

    async def test_what_would_not_fit_is_told(self, services):
        user = await make_user(services)
        tried = await services.templates.preview(user.id, {"a": "x" * 1500, "b": "y"})
        assert tried.claims == {"b": "y"}
        assert [o.claim for o in tried.omitted] == ["a"]

    @pytest.mark.parametrize(
        ("claims", "refusal"),
        [
            ("x", ClaimsNotAnObject),
            ({"a": "{{"}, TemplateSyntaxError),
            ({"a": "{{.User.Metadata.Private}}"}, PrivateMetadataNamed),
            ({"sub": "x"}, ClaimReserved),
            ({"a": "x" * 17_000}, ClaimsTooLong),
        ],
    )
    async def test_claims_are_held_to_the_rules_of_saving_sec_009_010(
        self, services, claims, refusal
    ):
        user = await make_user(services)
        with pytest.raises(refusal):
            await services.templates.preview(user.id, claims)

    async def test_there_is_no_preview_for_nobody(self, services):
        with pytest.raises(NotFound):
            await services.templates.preview(uuid4(), PLAN)


class TestOverBudget:
    """What the policy `refuse` does to changes of metadata."""

    @staticmethod
    def refusing(services, budget=60, claims=None):
        shown = {"p": "{{user.public_metadata}}", "u": "{{user.unsafe_metadata.u}}"}
        claims = shown if claims is None else claims
        return with_template(services, claims=claims, budget=budget, over_budget="refuse")

    async def test_a_change_that_claims_have_no_room_for_is_refused_sec_010(self, services):
        ours = self.refusing(services)
        user = await make_user(ours, public={"a": 1})
        with pytest.raises(MetadataOverflowsClaims) as refused:
            await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"b": "x" * 50}))
        error = refused.value
        assert (error.bag.value, error.size, error.limit, error.unit) == ("public", 70, 60, "bytes")
        assert error.path == ("public_metadata",)
        assert error.message == (
            "With this public_metadata the claims of the user's tokens would take 70 bytes; "
            "60 are allowed."
        )
        assert (await ours.metadata.of([user.id]))[user.id].public == '{"a":1}'
        assert (await rendered(ours, user)).claims == {"p": {"a": 1}}

    async def test_the_bag_named_is_one_that_was_changed_and_shows(self, services):
        ours = self.refusing(services)
        user = await make_user(ours, public={"a": 1})
        both = BagChanges(public={"a": 1}, private={"s": 1}, unsafe={"u": "x" * 60})
        with pytest.raises(MetadataOverflowsClaims) as refused:
            await ours.metadata.change(SYSTEM, user.id, both)
        assert refused.value.bag.value == "unsafe"
        assert (await ours.metadata.private_of([user.id]))[user.id] == "{}"

    async def test_exactly_the_budget_fits(self, services):
        ours = self.refusing(services)
        user = await make_user(ours)
        text = "x" * (60 - len('{"p":{"a":""}}'))
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": text}))
        assert (await rendered(ours, user)).size == 60
        with pytest.raises(MetadataOverflowsClaims):
            await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": text + "x"}))

    async def test_what_no_claim_shows_may_grow(self, services):
        ours = self.refusing(services)
        user = await make_user(ours)
        changes = BagChanges(private={"s": "x" * 500}, unsafe={"other": "x" * 500})
        await ours.metadata.change(SYSTEM, user.id, changes)

    async def test_who_is_over_already_may_shrink_and_not_grow(self, services):
        user = await make_user(services, public={"a": "x" * 100, "b": 1})
        ours = self.refusing(services)
        same = BagChanges(public={"a": "y" * 100})
        await ours.metadata.change(SYSTEM, user.id, same)
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"b": None}))
        with pytest.raises(MetadataOverflowsClaims):
            await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"b": 1}))
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public=None))

    async def test_the_bags_of_a_new_user_must_leave_room_too(self, services):
        ours = self.refusing(services)
        with pytest.raises(MetadataOverflowsClaims) as refused:
            await make_user(ours, unsafe={"u": "x" * 80})
        assert refused.value.bag.value == "unsafe"
        assert await fetch("SELECT id FROM app_user") == []
        await make_user(ours, unsafe={"u": "x" * 10})

    async def test_the_address_and_profile_of_a_new_user_count(self, services):
        claims = {"m": "{{.User.Email.Address}}{{user.public_metadata.a || 0}}"}
        ours = self.refusing(services, budget=30, claims=claims)
        with pytest.raises(MetadataOverflowsClaims):
            await make_user(ours, email="ada@example.com", public={"a": "x" * 10})
        await make_user(ours, email="a@b.example", public={"a": "x" * 10})

    async def test_a_profile_that_outgrows_the_budget_costs_its_claim(self, services):
        """The policy is about metadata alone."""
        ours = self.refusing(services, budget=30, claims={"n": "{{.User.Name}}"})
        user = await make_user(ours)
        await ours.users.update(SYSTEM, user.id, ProfileChanges(name="x" * 40))
        assert (await rendered(ours, user)).claims == {}
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": 1}))

    @pytest.mark.parametrize(
        "config", [{"over_budget": "omit", "budget": 20}, {"over_budget": "refuse", "budget": 0}]
    )
    async def test_elsewhere_no_change_is_refused(self, services, config):
        ours = with_template(services, claims={"p": "{{user.public_metadata}}"}, **config)
        user = await make_user(ours)
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": "x" * 100}))

    async def test_the_template_in_force_is_the_one_that_counts(self, services):
        ours = self.refusing(services)
        user = await make_user(ours)
        await ours.templates.set(SYSTEM, {})
        await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": "x" * 100}))
        await ours.templates.reset(SYSTEM)
        with pytest.raises(MetadataOverflowsClaims):
            await ours.metadata.change(SYSTEM, user.id, BagChanges(public={"a": "x" * 101}))

    async def test_of_two_changes_at_once_that_do_not_fit_together_one_is_refused(self, services):
        ours = self.refusing(services)
        user = await make_user(ours)
        changes = [BagChanges(public={"a": "x" * 30}), BagChanges(unsafe={"u": "x" * 30})]
        done = await asyncio.gather(
            *(ours.metadata.change(SYSTEM, user.id, change) for change in changes),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, MetadataOverflowsClaims) for one in done) == [False, True]
        assert (await rendered(ours, user)).size <= 60


# Whatever is written

names = st.sampled_from(["a", "b", "c", "u"])
kept_bags = bags.filter(lambda bag: unstorable(bag) is None)
patches = st.dictionaries(names, items, max_size=3) | st.none()
changes = st.lists(
    st.tuples(st.sampled_from(["public", "unsafe", "private"]), patches, st.sampled_from(Mode)),
    min_size=1,
    max_size=6,
)
SHOWING = [
    {"p": "{{user.public_metadata}}", "u": ["{{user.unsafe_metadata.a}}"]},
    {"p": '{{.User.Metadata.Public "a"}}', "u": "{{.User.Metadata.Unsafe}}"},
    {"m": "{{.User.Metadata}}"},
    {"both": '{{user.public_metadata.a || "x"}}-{{user.unsafe_metadata.b || "y"}}', "n": 1},
]


@given(claims=st.sampled_from(SHOWING), sequence=changes, budget=st.integers(30, 90))
@settings(max_examples=40)
async def test_where_changes_are_refused_no_claim_ever_lacks_room_sec_010(
    services, claims, sequence, budget
):
    ours = with_template(services, claims=claims, budget=budget, over_budget="refuse")
    user = await make_user(ours)
    for bag, value, mode in sequence:
        before = (await ours.metadata.of([user.id]))[user.id]
        try:
            await ours.metadata.change(SYSTEM, user.id, BagChanges(**{bag: value}), mode=mode)
        except MetadataRefused:
            assert (await ours.metadata.of([user.id]))[user.id] == before
        subject = await ours.templates.subject(user.id)
        whole = with_template(services, claims=claims, budget=0).templates.render(subject)
        assert ours.templates.render(subject) == whole


@given(claims=claims_maps, public=kept_bags, unsafe=kept_bags)
@settings(max_examples=40)
async def test_what_could_be_set_is_never_cut_by_bags_within_the_caps_sec_010(
    services, claims, public, unsafe
):
    ours = with_template(services, budget=1200)
    try:
        await ours.templates.set(SYSTEM, claims)
    except Invalid:
        return
    texts = [strictjson.encode(bag) for bag in (public, unsafe)]
    if max(len(text.encode()) for text in texts) > CAPS.public.max:
        return
    user = await make_user(ours, public=public, unsafe=unsafe)
    subject = await ours.templates.subject(user.id)
    whole = with_template(services, budget=0).templates.render(subject)
    assert ours.templates.render(subject) == whole


PRIVATE_LOOKING = [
    "{{.User.Metadata.Private}}",
    '{{.User.Metadata.Private "secret"}}',
    "{{user.private_metadata.secret}}",
    "{{if false}}{{.User.Metadata.Private}}{{end}}{{.User}}",
    '{{.User.Metadata.Public "private_metadata.secret"}}',
    '{{.User.Metadata.Public "@dig:secret"}}',
    '{{.User.Metadata.Unsafe "..private_bag"}}',
    '{{index .User.Metadata "Private"}}',
    '{{printf "%v" .}}{{printf "%#v" .User.Metadata}}',
    "{{user.public_metadata.private_metadata}}",
    "{{.User.Metadata}}{{.}}",
]
hostile = st.sampled_from(PRIVATE_LOOKING) | templates
hostile_claims = st.dictionaries(names, hostile | st.lists(hostile, max_size=2), max_size=4)


@given(claims=hostile_claims, public=kept_bags)
@settings(max_examples=40)
async def test_no_private_value_ever_shows_sec_009(services, claims, public):
    """Neither its values nor its keys, whatever a template asks for and wherever it stands."""
    user = await make_user(services, public=public, private={"secret": MARKER, MARKER: [MARKER]})
    ours = with_template(services, claims=claims, budget=0)
    subject = await ours.templates.subject(user.id)
    forced = replace(subject, template=strictjson.encode(claims))
    for shown in (ours.templates.render(subject), ours.templates.render(forced)):
        assert MARKER not in strictjson.encode(shown.claims)
        assert MARKER not in str(shown.omitted)
