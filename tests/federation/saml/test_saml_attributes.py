"""What attributes mean: the map, its defaults, and what it does not name. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.saml_sections import AttributeMap
from app.federation.attributes import identity_of
from app.federation.saml.attributes import DEFAULTS, claims_of, names_of

pytestmark = pytest.mark.one_database
TEXTS = st.dictionaries(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))


def claims(attributes, *, name="Acme", vouches=False, **mapped):
    return claims_of(attributes, names_of(AttributeMap(**mapped), name), vouches=vouches)


def test_the_usual_names_are_the_defaults():
    usual = {theirs: [ours] for ours, theirs in DEFAULTS.items()}
    found = claims(usual)
    assert {name: found[name] for name in DEFAULTS} == {name: name for name in DEFAULTS}


def test_a_map_goes_before_a_default():
    attributes = {"first": ["Ada"], DEFAULTS["given_name"]: ["Augusta"]}
    found = claims(attributes, given_name="first")
    assert found["given_name"] == "Ada"
    assert found[DEFAULTS["given_name"]] == "Augusta"


def test_auth0_has_names_of_its_own():
    attributes = {
        "http://schemas.auth0.com/nickname": ["ada"],
        "http://schemas.auth0.com/email_verified": ["true"],
    }
    for name in ("Auth0", "our AUTH0 tenant"):
        found = claims(attributes, name=name)
        assert (found["nickname"], found["email_verified"]) == ("ada", True)
    assert claims(attributes)["email_verified"] is False


def test_names_of_settings_become_names_of_claims():
    found = claims({"z": ["Europe/London"], "p": ["true"]}, zone_info="z", phone_verified="p")
    assert found["zoneinfo"] == "Europe/London"
    assert found["phone_verified"] is True


def test_several_values_are_a_list_and_one_is_a_text():
    found = claims({"groups": ["a", "b"], "title": ["Countess"], "none": []})
    assert (found["groups"], found["title"]) == (["a", "b"], "Countess")
    assert "none" not in found


@pytest.mark.parametrize("name", ["email_verified", "email", "sub", "iss", "phone_verified"])
def test_a_name_that_means_something_here_has_to_be_mapped(name):
    attributes = {DEFAULTS["email"]: ["ada@acme.example"], name: ["true"]}
    identity = identity_of("p", "p", claims(attributes) | {"sub": "1"})
    assert identity.subject == "1"
    assert identity.email == "ada@acme.example"
    assert not identity.email_verified


@given(TEXTS)
def test_whatever_is_sent_makes_claims_that_can_be_shaped(attributes):
    identity = identity_of("p", "p", claims(attributes) | {"sub": "1"})
    assert identity.subject == "1"
    assert not identity.email_verified
