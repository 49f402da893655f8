"""Reads a provider's response: who signed in there, if it is meant for us, now (SEC-085…090).

The order is: parse, verify, decrypt, verify, and only then read, from the bytes that were verified.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from app.clock import STORABLE_YEARS
from app.federation.saml.attributes import Attributes
from app.federation.saml.encryption import decrypted
from app.federation.saml.errors import (
    IssuerMissing,
    NotUnsolicited,
    ResponseRefused,
    ResponseUnreadable,
    ResponseUnsigned,
    SignInFailedThere,
)
from app.federation.saml.parsing import (
    SAML,
    SAMLP,
    Element,
    children,
    ids_of,
    is_id,
    only,
    parse,
    tag,
    text_of,
)
from app.federation.saml.signatures import signature_of, verified
from app.federation.saml.times import moment_of

SKEW = timedelta(seconds=60)
"""How far clocks may differ (SEC-089)."""

FRESH = timedelta(minutes=5)
"""How long ago a person may have signed in there, where that was to happen anew."""

LONGEST = timedelta(hours=24)
"""How long an assertion may be good, and so a record against its replay be kept (SEC-091)."""

TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_VERSION = "2.0"
_LONGEST = 2048
_KNOWN_CONDITIONS = frozenset(
    tag(SAML, name) for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a response has to fit.

    Attributes:
        issuer: The provider's entity id.
        keys: The certificates that its metadata pin (SEC-085).
        own_keys: Our private keys, for assertions that are encrypted.
        audience: What the provider knows us as.
        acs_url: Our assertion consumer service.
        request_id: The request that is answered; empty for a sign-in that the provider began.
        now: The time.
        checks_signatures: Whether signatures are looked at; always, in production.
        needs_attributes: Whether there must be an attribute statement.
        is_anew: Whether the person was to sign in there anew.
    """

    issuer: str
    keys: Sequence[x509.Certificate]
    own_keys: Sequence[rsa.RSAPrivateKey]
    audience: str
    acs_url: str
    request_id: str
    now: datetime
    checks_signatures: bool = True
    needs_attributes: bool = True
    is_anew: bool = False


@dataclass(frozen=True, slots=True)
class Assertion:
    """Who signed in at a provider.

    Attributes:
        response_id: The id of the response.
        assertion_id: The id of the assertion.
        subject: The NameID.
        attributes: The values of each attribute, by its name.
        expires_at: When nobody could bring it any more (SEC-091).
    """

    response_id: str
    assertion_id: str
    subject: str
    attributes: Attributes
    expires_at: datetime


def issuer_of(document: bytes) -> str:
    """Say whose a response claims to be, so that its keys can be looked up; nothing more.

    Raises:
        ResponseUnreadable: It is no response.
        IssuerMissing: It does not say.
    """
    issuers = children(_response(document), SAML, "Issuer")
    if len(issuers) != 1:
        raise IssuerMissing
    return text_of(issuers[0])


def read(document: bytes, expected: Expected) -> Assertion:
    """Read a response.

    Raises:
        ResponseUnreadable, IssuerMissing: It is none.
        ResponseUnsigned: It is not signed as it must be, or cannot be decrypted.
        SignInFailedThere: It reports no success.
        NotUnsolicited, ResponseRefused: It is not meant for this deployment, this request, or this
            moment.
    """
    response, assertion = _authentic(_response(document), expected)
    _check_response(response, expected)
    expires_at = _check_assertion(assertion, expected)
    return Assertion(
        response_id=response.get("ID"),
        assertion_id=assertion.get("ID"),
        subject=_subject(assertion, expected),
        attributes=_attributes(assertion, expected),
        expires_at=expires_at,
    )


def _response(document: bytes) -> Element:
    root = parse(document)
    if root.tag != tag(SAMLP, "Response") or not is_id(root.get("ID")):
        raise ResponseUnreadable
    return root


def _authentic(root: Element, expected: Expected) -> tuple[Element, Element]:
    """Give the response and its one assertion, as they were signed (SEC-086).

    Every signature that is there has to be good. Where the assertion alone is signed, the response
    around it is nobody's word: it can make a sign-in fail and nothing else.
    """
    response, is_signed = root, False
    if expected.checks_signatures and signature_of(root) is not None:
        response, is_signed = verified(root, root, expected.keys), True
    plain, sealed = children(root, SAML, "Assertion"), children(root, SAML, "EncryptedAssertion")
    if len(plain) + len(sealed) != 1 or _count(root) != 1:
        raise _unsuccessful(response) or ResponseUnsigned
    if sealed:
        inside = decrypted(only(response, SAML, "EncryptedAssertion"), expected.own_keys)
        if set(ids_of(inside)) & set(ids_of(root)) or _count(inside) != 1:
            raise ResponseUnsigned
        document = found = inside
    else:
        document, found = root, plain[0]
    if found.tag != tag(SAML, "Assertion") or not is_id(found.get("ID")):
        raise ResponseUnsigned
    if not expected.checks_signatures:
        return response, found
    if signature_of(found) is not None:
        return response, verified(document, found, expected.keys)
    if not is_signed:
        raise ResponseUnsigned
    return response, found if sealed else only(response, SAML, "Assertion")


def _count(root: Element) -> int:
    """Count the assertions in a tree, wherever they are."""
    return len(list(root.iter(tag(SAML, "Assertion"), tag(SAML, "EncryptedAssertion"))))


def _unsuccessful(response: Element) -> SignInFailedThere | None:
    """Tell a response that reports a failure, and so has no assertion, from a broken one."""
    return None if _status(response) == _SUCCESS else SignInFailedThere()


def _status(response: Element) -> str:
    code = only(only(response, SAMLP, "Status"), SAMLP, "StatusCode")
    status: str = code.get("Value", "")
    return status


def _check_response(response: Element, expected: Expected) -> None:
    if _status(response) != _SUCCESS:
        raise SignInFailedThere
    if response.get("InResponseTo") and not expected.request_id:
        raise NotUnsolicited
    _require(
        response.get("Version") == _VERSION,
        response.get("Destination") == expected.acs_url,
        response.get("InResponseTo", "") == expected.request_id,
        _issuer(response) == expected.issuer,
    )


def _check_assertion(assertion: Element, expected: Expected) -> datetime:
    """Check an assertion (SAML Profiles §4.1.4.3) and say until when it is good."""
    conditions = only(assertion, SAML, "Conditions")
    not_before, not_after = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
    audiences = children(conditions, SAML, "AudienceRestriction")
    _require(
        assertion.get("Version") == _VERSION,
        _issuer(assertion) == expected.issuer,
        not_before <= expected.now + SKEW,
        expected.now - SKEW < not_after,
        {part.tag for part in conditions} <= _KNOWN_CONDITIONS,
        bool(audiences),
        all(expected.audience in _audiences(one) for one in audiences),
    )
    _check_statements(assertion, expected)
    confirmed = [end for end in _confirmations(assertion, expected) if end is not None]
    _require(bool(confirmed))
    end = min(not_after, max(confirmed))
    _require(end <= expected.now + LONGEST + SKEW)
    return end + SKEW


def _check_statements(assertion: Element, expected: Expected) -> None:
    """See that the assertion is about a sign-in that is not over (SAML Core §2.7.2)."""
    statements = children(assertion, SAML, "AuthnStatement")
    _require(bool(statements))
    for statement in statements:
        at = _time(statement, "AuthnInstant")
        _require(at <= expected.now + SKEW)
        if statement.get("SessionNotOnOrAfter") is not None:
            _require(expected.now - SKEW < _time(statement, "SessionNotOnOrAfter"))
        if expected.is_anew:
            _require(at > expected.now - FRESH - SKEW)


def _confirmations(assertion: Element, expected: Expected) -> Iterator[datetime | None]:
    """Give until when each bearer may bring it, None where it is for somebody or something else."""
    for confirmation in children(only(assertion, SAML, "Subject"), SAML, "SubjectConfirmation"):
        data = children(confirmation, SAML, "SubjectConfirmationData")
        if confirmation.get("Method") != _BEARER or len(data) != 1:
            yield None
            continue
        end = _time(data[0], "NotOnOrAfter")
        begins = data[0].get("NotBefore") is None or (
            _time(data[0], "NotBefore") <= expected.now + SKEW
        )
        good = (
            begins
            and expected.now - SKEW < end
            and data[0].get("Recipient") == expected.acs_url
            and data[0].get("InResponseTo", "") == expected.request_id
        )
        yield end if good else None


def _subject(assertion: Element, expected: Expected) -> str:
    """Give the NameID: a lasting one, and given to us.

    A transient one names a visit and no person, so nothing could be found by it the next time.
    """
    name = only(only(assertion, SAML, "Subject"), SAML, "NameID")
    _require(name.get("Format") != TRANSIENT)
    if name.get("Format") == PERSISTENT:
        _require(name.get("NameQualifier") in (None, "", expected.issuer))
    subject = text_of(name)
    _require(bool(subject))
    return subject


def _attributes(assertion: Element, expected: Expected) -> Attributes:
    statements = children(assertion, SAML, "AttributeStatement")
    _require(bool(statements) or not expected.needs_attributes)
    found: dict[str, list[str]] = {}
    for statement in statements:
        for attribute in children(statement, SAML, "Attribute"):
            name = attribute.get("Name", "")
            values = [_value(one) for one in children(attribute, SAML, "AttributeValue")]
            found.setdefault(name, []).extend(value for value in values if value)
    return found


def _value(element: Element) -> str:
    """Read an attribute's value; one that is XML, or too long, counts as none."""
    if len(element) or len(element.text or "") > _LONGEST:
        return ""
    return text_of(element)


def _issuer(parent: Element) -> str:
    issuers = children(parent, SAML, "Issuer")
    if len(issuers) != 1:
        raise IssuerMissing
    return text_of(issuers[0])


def _audiences(restriction: Element) -> list[str]:
    return [text_of(one) for one in children(restriction, SAML, "Audience")]


def _time(element: Element, name: str) -> datetime:
    """Read a moment that has to be there."""
    moment = moment_of(element.get(name, ""))
    if moment is None or moment.year not in STORABLE_YEARS:
        raise ResponseRefused
    return moment.astimezone(UTC)


def _require(*facts: bool) -> None:
    if not all(facts):
        raise ResponseRefused
