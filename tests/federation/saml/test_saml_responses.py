"""What a response must be, to the letter: each rule with a response that breaks it."""

from datetime import timedelta

import pytest
from federation.saml.idp import (
    ACS,
    AUDIENCE,
    EMAIL,
    NAME,
    NOW,
    REQUEST,
    Idp,
    certificate,
    find,
    raw,
    rsa_key,
)
from lxml import etree

from app.federation.errors import InvalidRequest
from app.federation.saml.errors import (
    IssuerMissing,
    NotUnsolicited,
    ResponseRefused,
    ResponseUnreadable,
    SignInFailedThere,
)
from app.federation.saml.parsing import SAML, tag
from app.federation.saml.responses import PERSISTENT, TRANSIENT, issuer_of, read

IDP = Idp()
pytestmark = pytest.mark.one_database


def refused(tree, error=ResponseRefused, **expected):
    with pytest.raises(error):
        read(raw(tree), IDP.expected(**expected))


@pytest.mark.parametrize("made", [IDP.good, IDP.signed_whole])
def test_a_good_response_says_who_it_is(made):
    found = read(raw(made()), IDP.expected())
    assert (found.subject, found.response_id, found.assertion_id) == (
        "subject-1",
        "_response-1",
        "_assertion-1",
    )
    assert found.attributes == {EMAIL: ["ada@acme.example"], NAME: ["Ada Lovelace"]}
    assert found.expires_at == NOW + timedelta(minutes=6)


def test_a_response_and_its_assertion_may_both_be_signed():
    tree = IDP.sign(IDP.response(IDP.sign(IDP.assertion())))
    assert read(raw(tree), IDP.expected()).subject == "subject-1"


BROKEN = {
    "issuer": "https://idp.other.example",
    "audience": "urn:other",
    "recipient": "https://auth.example.com/other",
    "in_response_to": "_request-2",
    "not_before": NOW + timedelta(seconds=61),
    "not_on_or_after": NOW - timedelta(seconds=61),
    "confirmed_until": NOW - timedelta(seconds=61),
    "authn_instant": NOW + timedelta(seconds=61),
    "method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
    "version": "1.1",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("whole", [False, True])
def test_every_condition_of_an_assertion_is_checked_sec_089(name, whole):
    made = IDP.signed_whole if whole else IDP.good
    refused(made(**{name: BROKEN[name]}))


@pytest.mark.parametrize(
    "name",
    [
        "audience",
        "recipient",
        "in_response_to",
        "not_before",
        "not_on_or_after",
        "confirmed_until",
        "authn_instant",
    ],
)
def test_a_condition_that_is_missing_does_not_hold_sec_089(name):
    refused(IDP.good(**{name: None}))


@pytest.mark.parametrize(
    "broken",
    [
        {"issuer": "https://idp.other.example"},
        {"destination": "https://auth.example.com/other"},
        {"destination": f"{ACS}/"},
        {"destination": None},
        {"in_response_to": "_request-2"},
        {"in_response_to": None},
        {"version": "1.1"},
    ],
    ids=str,
)
def test_every_condition_of_a_response_is_checked_sec_089(broken):
    refused(IDP.sign(IDP.response(IDP.assertion(), **broken)))
    refused(IDP.response(IDP.sign(IDP.assertion()), **broken))


@pytest.mark.parametrize("seconds", [59, 0, -59])
def test_clocks_may_differ_by_a_minute_sec_089(seconds):
    at = NOW + timedelta(seconds=seconds)
    given = {"not_before": max(NOW, at), "not_on_or_after": NOW + timedelta(minutes=5)}
    assert read(raw(IDP.good(**given)), IDP.expected())
    ends = {"not_on_or_after": min(NOW, at), "not_before": NOW - timedelta(hours=1)}
    assert read(raw(IDP.good(**ends)), IDP.expected())


@pytest.mark.parametrize("name", ["not_on_or_after", "confirmed_until"])
def test_an_assertion_is_good_for_a_day_at_most_sec_091(name):
    """Its record against replays is kept as long."""
    both = dict.fromkeys(("not_on_or_after", "confirmed_until"), NOW + timedelta(days=365))
    refused(IDP.good(**both))
    refused(IDP.good(**(both | {name: NOW + timedelta(hours=24, seconds=61)})))
    found = read(raw(IDP.good(**(both | {name: NOW + timedelta(hours=24)}))), IDP.expected())
    assert found.expires_at == NOW + timedelta(hours=24, seconds=60)


def test_without_an_issuer_nothing_is_read_sec_089():
    refused(IDP.response(IDP.sign(IDP.assertion()), issuer=None), IssuerMissing)
    with pytest.raises(IssuerMissing):
        issuer_of(raw(IDP.response(issuer=None)))
    assert issuer_of(raw(IDP.good())) == IDP.entity_id


def test_a_condition_that_is_not_known_does_not_hold():
    assertion = IDP.assertion()
    etree.SubElement(find(assertion, "saml:Conditions"), tag(SAML, "Condition"))
    refused(IDP.response(IDP.sign(assertion)))


def test_all_of_several_audiences_have_to_name_us_sec_089():
    assertion = IDP.assertion()
    another = etree.SubElement(find(assertion, "saml:Conditions"), tag(SAML, "AudienceRestriction"))
    etree.SubElement(another, tag(SAML, "Audience")).text = "urn:other"
    refused(IDP.response(IDP.sign(assertion)))
    etree.SubElement(another, tag(SAML, "Audience")).text = AUDIENCE
    assert read(raw(IDP.response(IDP.sign(assertion))), IDP.expected())


def test_a_session_that_is_over_there_is_none_here():
    assertion = IDP.assertion()
    statement = find(assertion, "saml:AuthnStatement")
    statement.set("SessionNotOnOrAfter", "2026-11-22T11:00:00Z")
    refused(IDP.response(IDP.sign(assertion)))


def test_one_bearer_of_several_is_enough_and_no_other_kind():
    assertion = IDP.assertion(method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
    refused(IDP.response(IDP.sign(assertion)))
    subject = find(assertion, "saml:Subject")
    subject.append(find(IDP.assertion(), "//saml:SubjectConfirmation"))
    assert read(raw(IDP.response(IDP.sign(assertion))), IDP.expected())


def test_a_bearer_that_may_not_come_yet_is_refused_sec_089():
    assertion = IDP.assertion()
    find(assertion, "//saml:SubjectConfirmationData").set("NotBefore", "2026-11-22T13:00:00Z")
    refused(IDP.response(IDP.sign(assertion)))


def test_a_response_is_to_its_request_alone_sec_090():
    tree = IDP.good()
    refused(tree, request_id="_request-2")
    refused(IDP.good(in_response_to="_request-2"))
    refused(tree, NotUnsolicited, request_id="")
    unsolicited = IDP.response(IDP.sign(IDP.assertion()), in_response_to=None)
    refused(unsolicited, request_id="")
    alone = IDP.response(IDP.sign(IDP.assertion(in_response_to=None)), in_response_to=None)
    assert read(raw(alone), IDP.expected(request_id="")).subject == "subject-1"
    refused(alone, request_id=REQUEST)


def test_a_sign_in_that_was_to_happen_anew_has_just_happened():
    old = IDP.good(authn_instant=NOW - timedelta(hours=1))
    assert read(raw(old), IDP.expected())
    refused(old, is_anew=True)
    assert read(raw(IDP.good()), IDP.expected(is_anew=True))


@pytest.mark.parametrize("status", ["Responder", "AuthnFailed", "", "success"])
def test_a_failure_there_is_told(status):
    code = f"urn:oasis:names:tc:SAML:2.0:status:{status}"
    refused(IDP.sign(IDP.response(status=code)), SignInFailedThere)
    refused(IDP.response(status=code), SignInFailedThere)
    refused(IDP.sign(IDP.response(IDP.assertion(), status=code)), SignInFailedThere)


def test_a_success_without_an_assertion_is_none():
    refused(IDP.sign(IDP.response()), InvalidRequest)


@pytest.mark.parametrize("path", ["saml:Subject", "//saml:NameID", "saml:Conditions"])
@pytest.mark.parametrize("twice", [False, True])
def test_what_stands_once_stands_once(path, twice):
    assertion = IDP.assertion()
    found = find(assertion, path)
    if twice:
        found.addnext(etree.fromstring(raw(found)))
    else:
        found.getparent().remove(found)
    refused(IDP.response(IDP.sign(assertion)), ResponseUnreadable)


def test_a_passing_name_identifies_nobody():
    refused(IDP.good(format=TRANSIENT))
    assert read(raw(IDP.good(format=PERSISTENT)), IDP.expected())
    refused(IDP.good(subject=""))
    foreign = IDP.assertion(format=PERSISTENT)
    find(foreign, "//saml:NameID").set("NameQualifier", "https://idp.other.example")
    refused(IDP.response(IDP.sign(foreign)))


def test_attributes_are_needed_unless_they_may_be_missing():
    refused(IDP.good(attributes=None))
    found = read(raw(IDP.good(attributes=None)), IDP.expected(needs_attributes=False))
    assert found.attributes == {}


def test_attributes_keep_all_their_values_but_those_that_are_no_text():
    assertion = IDP.assertion(attributes={"groups": ["a", "b"], "x": ["v" * 3000], "y": [" z "]})
    value = find(assertion, "//saml:AttributeValue[text()='a']")
    value.addnext(etree.fromstring("<v xmlns='urn:x'><w/></v>"))
    odd = etree.Element(tag(SAML, "AttributeValue"))
    etree.SubElement(odd, "{urn:x}inner").text = "c"
    value.addnext(odd)
    found = read(raw(IDP.response(IDP.sign(assertion))), IDP.expected())
    assert found.attributes == {"groups": ["a", "b"], "x": [], "y": ["z"]}


def test_the_time_of_a_certificate_does_not_matter_its_publication_does_sec_085():
    ended = certificate(rsa_key(), NOW - timedelta(days=800))
    assert read(raw(IDP.good()), IDP.expected(keys=[ended]))


@pytest.mark.parametrize("name", ["NotBefore", "NotOnOrAfter"])
@pytest.mark.parametrize(
    "moment", ["", "soon", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]
)
def test_a_moment_that_is_none_is_refused_sec_089(name, moment):
    assertion = IDP.assertion()
    find(assertion, "saml:Conditions").set(name, moment)
    refused(IDP.response(IDP.sign(assertion)))


def test_signatures_are_looked_at_unless_development_says_otherwise_sec_085():
    tree = IDP.response(IDP.assertion())
    refused(tree, InvalidRequest)
    assert read(raw(tree), IDP.expected(checks_signatures=False)).subject == "subject-1"
