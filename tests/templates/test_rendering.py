"""What templates make of a user, apart from any database."""

import json
import logging
from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest
from claims.strategies import awkward, bags, cap, claims_maps, templates, texts, users
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from templates.making import ADA, CAPS, configured, stored

from app import strictjson
from app.claims.check import Cap, Caps
from app.claims.claims import RESERVED, Omitted
from app.errors import Invalid
from app.templates import PrimaryEmail, Subject, Template
from app.templates.memory import Memory
from app.templates.service import MAX_BYTES, _checked

SHOWN = {
    "id": "{{.User.UserID}}",
    "username": "x",
    "user": "{{.User}}",
    "mail": "{{.User.Email}}",
    "plan": "{{user.public_metadata.plan}}",
    "theme": "{{user.unsafe_metadata.theme}}",
}
TWO = {"plan": "{{user.public_metadata.plan}}", "theme": "{{user.unsafe_metadata.no}}"}
THREE = {"a": "x" * 10, "b": "x" * 30, "c": "x" * 20}
CHANGES = [
    {"user_id": UUID("0190c0de-0000-7000-8000-00000000000b")},
    {"username": None},
    {"name": "Countess"},
    {"given_name": "Augusta"},
    {"family_name": "King"},
    {"picture": None},
    {"email": None},
    {"email": PrimaryEmail("ada@example.com", is_verified=False)},
    {"email": PrimaryEmail("countess@example.com", is_verified=True)},
    {"public": '{"plan":"free"}'},
    {"unsafe": '{"theme":"light"}'},
    {"template": '{"plan":"{{user.public_metadata.seats}}"}'},
]


class TestTheTemplateInForce:
    def test_the_stored_template_takes_the_place_of_the_configured_one(self):
        ours = configured({"a": "configured"})
        assert ours.render(ADA).claims == {"a": "configured"}
        assert ours.render(stored({"b": "stored"})).claims == {"b": "stored"}

    def test_no_claims_are_a_template_too(self):
        assert configured({"a": "configured"}).render(stored({})).claims == {}

    @pytest.mark.parametrize("text", ["{broken", "[]", "null", '{"a":1,"a":2}', "[" * 60])
    def test_a_stored_text_that_is_no_template_comes_to_nothing(self, text):
        rendered = configured({"a": "x"}).render(replace(ADA, template=text))
        assert (rendered.claims, rendered.omitted) == ({}, ())

    def test_a_user_with_nothing_has_claims_too(self):
        nobody = Subject(ADA.user_id)
        claims = configured(
            {"name": "{{.User.Name}}", "mail": '{{or .User.Email "none"}}', "a": [1]}
        )
        assert claims.render(nobody).claims == {"name": "", "mail": "none", "a": [1]}


class TestRoom:
    @pytest.mark.parametrize(
        ("budget", "room", "kept"),
        [
            (1200, None, "abc"),
            (0, None, "abc"),
            (82, None, "abc"),
            (81, None, "ac"),
            (0, 81, "ac"),
            (1200, 81, "ac"),
            (81, 1200, "ac"),
            (0, 82, "abc"),
            (1200, 18, "a"),
            (1200, 17, ""),
            (1200, 0, ""),
            (1200, -5, ""),
        ],
    )
    def test_the_largest_claims_go_until_the_rest_fits_sec_010(self, budget, room, kept):
        rendered = configured(THREE, budget=budget).render(ADA, room)
        assert "".join(rendered.claims) == kept
        assert {o.claim for o in rendered.omitted} == set("abc") - set(kept)

    def test_what_fails_stands_beside_what_has_no_room(self):
        claims = THREE | {"sub": "x", "bad": "{{", "gone": "{{user.public_metadata.no}}"}
        omitted = configured(claims, budget=78).render(ADA).omitted
        assert [o.claim for o in omitted] == ["sub", "bad", "gone", "b"]


class TestReporting:
    def test_each_claim_left_out_is_logged_at_each_minting_sec_010(self, caplog):
        ours = configured(TWO | {"sub": "x", "big": "y" * 99}, budget=30)
        caplog.set_level(logging.WARNING)
        for _ in range(2):
            ours.render(ADA)
        told = [(r.claim, r.user_id, r.levelname) for r in caplog.records]
        assert told == [(c, ADA.user_id, "WARNING") for c in ("sub", "theme", "big")] * 2
        assert all(r.reason for r in caplog.records)

    def test_the_log_holds_no_value(self, caplog):
        caplog.set_level(logging.DEBUG)
        secret = replace(ADA, public='{"plan":"VALUE"}', unsafe='{"VALUE":"VALUE"}', name="VALUE")
        sources = [
            "{{eq .User.Name 1}}",
            '{{range .User.Metadata.Public "plan"}}{{end}}',
            "{{index .User.Name 99}}",
            "{{.User.Name.x}}",
            "{{user.unsafe_metadata.no}}",
            "{{.User.Name}}" + "{{.User.Metadata.Public}}" * 9,
        ]
        ours = configured({f"c{n}": source for n, source in enumerate(sources)}, budget=20)
        assert len(ours.render(secret).omitted) == len(sources)
        assert len(caplog.records) == len(sources)
        assert "VALUE" not in str([record.__dict__ for record in caplog.records])

    def test_nothing_is_logged_where_nothing_is_minted(self, caplog):
        caplog.set_level(logging.DEBUG)
        configured(TWO).render(ADA, report=False)
        assert caplog.records == []


class TestWhatIsKept:
    def test_a_rendering_is_made_once_while_nothing_changes(self):
        ours = configured(SHOWN)
        again = replace(ADA, metadata_version=4)
        assert ours.render(ADA) is ours.render(again) is ours.render(ADA)

    @pytest.mark.parametrize("change", CHANGES, ids=str)
    def test_a_change_of_anything_shows_at_once(self, change):
        ours = configured(SHOWN)
        first = ours.render(ADA).claims
        changed = replace(ADA, **change)
        assert ours.render(changed).claims != first
        assert ours.render(changed).claims == configured(SHOWN).render(changed).claims
        assert ours.render(ADA).claims == first

    def test_every_part_of_a_subject_counts(self):
        """What a new field is for shows in the list of changes above, or here."""
        changed = {name for change in CHANGES for name in change}
        assert changed | {"metadata_version"} == set(Subject.__slots__)

    def test_a_change_of_the_room_shows_at_once(self):
        ours = configured(SHOWN)
        rooms = [2000, 100, 2, None, 100]
        sizes = [ours.render(ADA, room).size for room in rooms]
        assert sizes == [configured(SHOWN).render(ADA, room).size for room in rooms]
        assert len(set(sizes)) == 3

    def test_texts_that_only_look_the_same_together_are_kept_apart(self):
        ours = configured({"a": "{{.User.Name}}|{{.User.GivenName}}"})
        found = {
            ours.render(replace(ADA, name=first, given_name=second)).claims["a"]
            for first, second in product(('a","b', "a", "", None), repeat=2)
        }
        assert len(found) == 9  # an absent name reads as an empty one

    def test_a_copy_with_another_configuration_keeps_nothing_of_the_first(self):
        ours = configured({"a": "1"})
        first = ours.render(ADA)
        other = replace(ours, config=configured({"a": "2"}).config)
        assert (first.claims, other.render(ADA).claims) == ({"a": "1"}, {"a": "2"})

    def test_what_was_not_used_longest_goes_first(self):
        kept = Memory[str, str](2)
        made = []

        def get(key: str) -> str:
            return kept.get(key, lambda: made.append(key) or key.upper())

        assert [get(key) for key in "abacab"] == list("ABACAB")
        assert made == ["a", "b", "c", "b"]
        assert len(kept) == 2


class TestWhatIsForcedIn:
    """What could not be saved comes to nothing, in the file as in the database."""

    @pytest.mark.parametrize(
        "source",
        [
            "{{.User.Metadata.Private}}",
            '{{if false}}{{.User.Metadata.Private "x"}}{{end}}shown',
            "{{user.private_metadata}}",
            '{{user.private_metadata.x || "shown"}}',
            "{{with .User}}{{with .x}}{{.private}}{{end}}{{end}}shown",
        ],
    )
    @pytest.mark.parametrize("where", ["configuration", "database"])
    def test_a_private_path_yields_no_claim_sec_009(self, source, where):
        claims = {"deep": {"a": [source]}, "plan": "{{user.public_metadata.plan}}"}
        forced = configured(claims).render(ADA)
        if where == "database":
            forced = configured({}).render(stored(claims))
        assert forced.claims == {"plan": "pro"}
        assert [o.claim for o in forced.omitted] == ["deep"]

    def test_a_text_that_json_cannot_carry_yields_no_claim(self):
        rendered = configured({"\ud800": 1, "a": "\udfff", "b": {"\udc00": 1}, "c": 1}).render(ADA)
        assert rendered.claims == {"c": 1}

    def test_a_configured_file_of_the_reference_still_starts(self, caplog):
        """A mistake in the file costs its claim and a warning with the claim's path."""
        caplog.set_level(logging.WARNING)
        claims = {
            "sub": "x",
            "broken": {"inner": ["{{.User"]},
            "private": "{{.User.Metadata.Private}}",
            "good": "{{.User.Username}}",
        }
        ours = configured(claims)
        ours.warn()
        assert [record.claim for record in caplog.records] == [
            "sub",
            "broken.inner.0",
            "private",
        ]
        assert all(record.levelname == "WARNING" and record.reason for record in caplog.records)
        assert ours.render(ADA).claims == {"good": "ada"}

    @pytest.mark.parametrize(
        "claims",
        [
            {"bag": ["{{user.public_metadata}}"] * 3},
            {"loop": "{{range 3}}x{{end}}"},
            {str(n): f"{{{{{n}}}}}" + "x" * 4000 for n in range(2)},
        ],
    )
    def test_claims_that_may_not_fit_are_warned_of_sec_010(self, claims, caplog):
        caplog.set_level(logging.WARNING)
        configured(claims).warn()
        assert [r.message for r in caplog.records] == ["configured claims may not fit"]

    def test_templates_that_are_too_long_together_are_warned_of_without_a_budget(self, caplog):
        caplog.set_level(logging.WARNING)
        claims = {str(n): f"{{{{{n}}}}}" + "x" * 4000 for n in range(2)}
        ours = configured(claims, budget=0)
        ours.warn()
        assert [r.reason for r in caplog.records] == ["The templates are too long together."]
        assert ours.render(ADA).claims.keys() == {"0"}

    def test_what_is_right_is_not_warned_of(self, caplog):
        caplog.set_level(logging.WARNING)
        configured({"plan": "{{user.public_metadata.plan}}"}).warn()
        configured({"loop": "{{range 3}}x{{end}}"}, budget=0).warn()
        assert caplog.records == []


class TestWorstCase:
    def test_the_bound_leaves_out_what_never_shows(self):
        claims = {"sub": "x" * 999, "bad": "{{", "plan": "{{user.public_metadata.plan}}"}
        assert configured({}).worst_case(Template(claims, "configuration")) == 512 + 10

    def test_there_may_be_none(self):
        loop = Template({"loop": "{{range 3}}x{{end}}"}, "configuration")
        assert configured({}).worst_case(loop) is None


# Whatever is written


def as_subject(user: dict) -> Subject:
    """A user of the strategies as a subject."""
    email = user["email"]
    return Subject(
        user_id=ADA.user_id,
        username=user["username"],
        name=user["name"],
        given_name=user["given_name"],
        picture=user["picture"],
        email=email and PrimaryEmail(email["address"], is_verified=email["is_verified"]),
        public=user["public_metadata_raw"],
        unsafe=user["unsafe_metadata_raw"],
    )


def caps_with_id(caps: Caps) -> Caps:
    return Caps(caps.public, caps.unsafe, {**caps.fields, "UserID": Cap(36, "bytes")})


reserved = st.dictionaries(
    st.sampled_from(sorted(RESERVED)), templates | st.integers() | st.none(), min_size=1
)


@given(claims=claims_maps, wanted=reserved, held=users(), forced=st.booleans())
@settings(max_examples=100)
def test_no_template_bag_or_profile_sets_a_reserved_claim_sec_010(claims, wanted, held, forced):
    """And saving such a template is refused."""
    both = claims | wanted
    subject = as_subject(held[0])
    if forced:
        rendered = configured(both, budget=0).render(subject)
    else:
        rendered = configured({}, budget=0).render(stored(both, subject))
    assert rendered.claims.keys().isdisjoint(RESERVED)
    assert wanted.keys() <= {o.claim for o in rendered.omitted}
    with pytest.raises(Invalid):
        _checked(both)


@given(bag=st.dictionaries(st.sampled_from(sorted(RESERVED)), awkward), name=texts)
@settings(max_examples=50)
def test_a_bag_full_of_reserved_names_stays_inside_its_claim_sec_010(bag, name):
    subject = replace(ADA, public=strictjson.encode(bag), unsafe="{}", name=name)
    claims = {"bag": "{{user.public_metadata}}", "text": "{{.User.Metadata.Public}}", "n": SHOWN}
    rendered = configured(claims, budget=0).render(subject)
    assert rendered.claims.keys() <= claims.keys()


@given(claims=claims_maps, held=users(), room=st.none() | st.integers(-5, 3000))
@settings(max_examples=150)
def test_rendering_never_fails_and_keeps_to_its_room_sec_008(claims, held, room):
    """Keys and values of any kind are data: they come to claims or to omissions, not to errors."""
    subject = as_subject(held[0])
    rendered = configured(claims).render(subject, room)
    assert rendered.size <= max(min(1200, 1200 if room is None else room), len("{}"))
    assert rendered.claims.keys() | {o.claim for o in rendered.omitted} == claims.keys()
    strictjson.parse(strictjson.encode_bytes(rendered.claims))


@given(value=bags | st.sampled_from([{"a": "{{.User.Name}}"}, {"a": '{{"{{"}}'}]))
@settings(max_examples=100)
def test_what_a_bag_holds_is_never_evaluated_sec_008(value):
    subject = replace(ADA, public=strictjson.encode(value))
    assume(value)
    rendered = configured({"bag": "{{user.public_metadata}}"}, budget=0).render(subject)
    assert strictjson.encode(rendered.claims["bag"]) == strictjson.encode(value)


@given(claims=claims_maps, held=users(), spare=st.integers(0, 3))
@settings(max_examples=250)
def test_what_was_accepted_always_fits_sec_010(claims, held, spare):
    """Within the caps it was checked with, no bag and no profile costs a saved claim its place."""
    user, caps = held[0], caps_with_id(held[1])
    unlimited = configured({}, caps=caps, budget=0)
    try:
        text = _checked(claims)
    except Invalid:
        reject()
    bound = unlimited.worst_case(Template(claims, "database"))
    assume(bound is not None)
    ours = configured({}, caps=caps, budget=bound + spare)
    ours._check_size(claims)
    subject = replace(as_subject(user), template=text)
    assert ours.render(subject) == unlimited.render(subject)
    too_small = configured({}, caps=caps, budget=bound - 1)
    with pytest.raises(Invalid):
        too_small._check_size(claims)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([], "Claims are an object"),
        (None, "Claims are an object"),
        ("{}", "Claims are an object"),
        ({"a": "x" * MAX_BYTES}, "16,384 bytes"),
        ({"a": "é" * (MAX_BYTES // 2)}, "16,384 bytes"),
        ({str(n): n for n in range(2000)}, "16,384 bytes"),
    ],
)
def test_what_has_no_room_in_the_database_is_refused(claims, message):
    with pytest.raises(Invalid, match=message):
        _checked(claims)


def test_exactly_the_longest_claims_are_kept():
    assert len(_checked({"a": "x" * (MAX_BYTES - len('{"a":""}'))})) == MAX_BYTES


def test_claims_nested_too_deeply_are_refused():
    deep: object = 1
    for _ in range(31):
        deep = [deep]
    assert _checked({"a": deep})
    with pytest.raises(Invalid, match="too deeply"):
        _checked({"a": [deep]})


def test_a_tiny_cap_is_enough_for_a_tiny_bag():
    assert cap("{}", "bytes").max == 2
    assert configured({"a": "{{user.public_metadata}}"}, caps=CAPS).render(
        replace(ADA, public="{}")
    ).omitted == (Omitted("a", "There is no value for this claim."),)


SAID_AND_UNSAID = {
    "denied": "{{ user.public_metadata.denied }}",
    "theme": "{{ user.unsafe_metadata.theme }}",
    "who": "{{ .User.Name }}",
}


class TestWhoGoesFirst:
    """SEC-008: what a user writes takes nothing away that a server has put into their token."""

    def filled(self, **given):
        subject = replace(ADA, public=json.dumps({"denied": "d" * 700}), **given)
        return configured(SAID_AND_UNSAID, budget=1200).render(subject)

    def test_what_the_user_has_a_say_in_goes_before_the_rest_however_small_it_is(self):
        found = self.filled(unsafe=json.dumps({"theme": "t" * 620}))
        assert found.claims.keys() == {"denied", "who"}
        found = self.filled(unsafe=json.dumps({"theme": "t" * 250}), name="n" * 300)
        assert "denied" in found.claims
        assert len(found.omitted) == 1

    def test_the_rest_goes_only_when_there_is_nothing_else_to_go(self):
        subject = replace(ADA, public=json.dumps({"denied": "d" * 1300}))
        found = configured(SAID_AND_UNSAID, budget=1200).render(subject)
        assert "denied" not in found.claims

    def test_what_fits_once_the_rest_has_gone_is_there(self):
        given = {"unsafe": json.dumps({"theme": "t" * 700}), "name": "n" * 600}
        subject = replace(ADA, public=json.dumps({"denied": "d" * 1300}), **given)
        found = configured(SAID_AND_UNSAID, budget=1200).render(subject)
        assert found.claims == {"who": "n" * 600}
        assert {one.claim for one in found.omitted} == {"denied", "theme"}
        found = configured(SAID_AND_UNSAID, budget=1400).render(subject)
        assert found.claims.keys() == {"denied"}  # what a server says goes before

    def test_a_claim_that_is_too_large_takes_no_small_one_along(self):
        claims = {
            "email_verified": "{{with .User.Email}}{{.IsVerified}}{{else}}false{{end}}",
            "plan": "{{ user.public_metadata.plan }}",
            "tenant": "main",
        }
        subject = replace(ADA, public=json.dumps({"plan": "p" * 1500}))
        found = configured(claims, budget=1200).render(subject)
        assert found.claims.keys() == {"email_verified", "tenant"}
        assert [one.claim for one in found.omitted] == ["plan"]
