"""What an identity provider's metadata say (SAML Metadata §2), and what is believed of it."""

import base64
import binascii
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.config.federation_sections import BuiltInProviders
from app.federation.saml.errors import ResponseUnreadable, SamlMetadataRefused
from app.federation.saml.parsing import DS, MD, SAMLP, Element, children, parse, tag, text_of
from app.federation.saml.times import moment_of, span_of
from app.text import is_printable

Binding = Literal["redirect", "post"]
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_BINDINGS: tuple[tuple[str, Binding], ...] = ((REDIRECT, "redirect"), (POST, "post"))
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_MIN_RSA = 2048
_LONGEST_ID = 1024
_TAKEN = BuiltInProviders.__struct_fields__  # ids of providers that are none of SAML
_URL = re.compile(
    r"(?=.{1,2048}\Z)(?P<scheme>https?)://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(:[0-9]{1,5})?([/?][!$-;=?-\[\]-~]*)?"
)
_log = logging.getLogger("sekisho.federation.saml")


@dataclass(frozen=True, slots=True)
class Metadata:
    """An identity provider, as far as it matters here.

    Attributes:
        entity_id: Its name.
        sso_url: Where people are sent to.
        binding: How a request gets there.
        keys: The certificates whose keys may have signed (SEC-085).
        wants_signed_requests: Whether it takes no request that is not signed.
        valid_until: When what it says ends, None for never.
        refresh_after: How soon it wants to be asked again, None where it does not say.
    """

    entity_id: str
    sso_url: str
    binding: Binding
    keys: Sequence[x509.Certificate]
    wants_signed_requests: bool
    valid_until: datetime | None
    refresh_after: timedelta | None

    def is_valid(self, now: datetime) -> bool:
        """Say whether this may still be believed."""
        return self.valid_until is None or now < self.valid_until


def read(document: bytes, entity_id: str = "", *, allows_http: bool = False) -> Metadata:
    """Read metadata: of one provider, or of several, of which *entity_id* names one.

    Raises:
        SamlMetadataRefused: There is no provider in it that can be used; the message says why.
    """
    try:
        root = parse(document, comments=True)
        entity = _entity(root, entity_id)
        return _metadata(entity, allows_http=allows_http)
    except ResponseUnreadable:
        raise SamlMetadataRefused("the document cannot be parsed") from None


def _entity(root: Element, entity_id: str) -> Element:
    """Find the provider that is meant."""
    if root.tag not in (tag(MD, "EntityDescriptor"), tag(MD, "EntitiesDescriptor")):
        raise SamlMetadataRefused("the document is no SAML metadata")
    found = [
        one
        for one in root.iter(tag(MD, "EntityDescriptor"))
        if _roles(one) and entity_id in ("", one.get("entityID"))
    ]
    if len(found) != 1:
        count = "more than one" if found else "no"
        which = f" with the id {entity_id}" if entity_id else ""
        raise SamlMetadataRefused(f"the document holds {count} identity provider{which}")
    return found[0]


def _roles(entity: Element) -> list[Element]:
    """Give an entity's roles as an identity provider of SAML 2.0; one, as a rule."""
    return [
        role
        for role in children(entity, MD, "IDPSSODescriptor")
        if SAMLP in role.get("protocolSupportEnumeration", "").split()
    ]


def _metadata(entity: Element, *, allows_http: bool) -> Metadata:
    role, name = _roles(entity)[0], entity.get("entityID", "")
    is_plain = 0 < len(name) <= _LONGEST_ID and name == name.strip() and is_printable(name)
    if not is_plain or name in _TAKEN or name.startswith("custom_"):
        raise SamlMetadataRefused("the entity id cannot be used")
    keys = list(_keys(role))
    if not keys:
        raise SamlMetadataRefused("there is no signing certificate that can be used")
    sso_url, binding = _sign_on(role, allows_http=allows_http)
    scopes = [*entity.iterancestors(), entity, role]
    return Metadata(
        entity_id=name,
        sso_url=sso_url,
        binding=binding,
        keys=tuple(keys),
        wants_signed_requests=role.get("WantAuthnRequestsSigned") in ("true", "1"),
        valid_until=min(filter(None, map(_end, scopes)), default=None),
        refresh_after=min(filter(None, map(_span, scopes)), default=None),
    )


def _end(element: Element) -> datetime | None:
    text = element.get("validUntil")
    if text is None:
        return None
    moment = moment_of(text)
    if moment is None:
        raise SamlMetadataRefused("validUntil is no time")
    return moment


def _span(element: Element) -> timedelta | None:
    return span_of(element.get("cacheDuration", ""))


def _keys(role: Element) -> Iterator[x509.Certificate]:
    """Give the certificates for signing: those for both uses too, those for encryption not."""
    for descriptor in children(role, MD, "KeyDescriptor"):
        if descriptor.get("use", "signing") != "signing":
            continue
        for info in children(descriptor, DS, "KeyInfo"):
            for data in children(info, DS, "X509Data"):
                for one in children(data, DS, "X509Certificate"):
                    yield from _certificate(text_of(one))


def _certificate(text: str) -> Iterator[x509.Certificate]:
    """Read a certificate; one that no signature should rest on is passed over, and logged."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
        certificate = x509.load_der_x509_certificate(raw)
        key = certificate.public_key()
        begins = certificate.not_valid_before_utc
    except (binascii.Error, ValueError, TypeError, x509.InvalidVersion):
        _log.warning("a certificate in SAML metadata cannot be read")
        return
    is_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA
    is_ec = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    if not (is_rsa or is_ec) or begins.year <= 1:
        _log.warning("a certificate in SAML metadata has a key that is not taken")
        return
    yield certificate


def _sign_on(role: Element, *, allows_http: bool) -> tuple[str, Binding]:
    """Give where people sign in: by a redirect if that is offered, else by a form."""
    services = children(role, MD, "SingleSignOnService")
    for name, binding in _BINDINGS:
        for service in services:
            if service.get("Binding") == name:
                return _url(service.get("Location", ""), allows_http=allows_http), binding
    raise SamlMetadataRefused("there is no sign-on by redirect or form")


def _url(text: str, *, allows_http: bool) -> str:
    found = _URL.fullmatch(text)
    if found is None or not (allows_http or found["scheme"] == "https"):
        raise SamlMetadataRefused("the sign-on URL must be https")
    return text
