"""An identity provider that signs whatever a test wants, well or badly."""

import base64
import copy
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import SignatureReference, XMLSigner

from app.federation.saml.metadata import REDIRECT
from app.federation.saml.parsing import DS, EXCLUSIVE_C14N, SAML, SAMLP, XENC, XENC11, tag
from app.federation.saml.responses import Expected
from app.federation.saml.times import written

ENTITY_ID = "https://idp.acme.example/metadata"
SSO_URL = "https://idp.acme.example/sso"
ENDPOINT = "https://auth.example.com"
ACS = f"{ENDPOINT}/saml/callback"
AUDIENCE = "urn:sekisho"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
NAME = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
REQUEST = "_request-1"
NAMESPACES = {"samlp": SAMLP, "saml": SAML, "ds": DS, "xenc": XENC}


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """A key pair of its own for each number."""
    return rsa.generate_private_key(65537, 2048)


def certificate(key: Any, begins: datetime = NOW, days: int = 365) -> x509.Certificate:
    """A certificate that a key has signed for itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(begins - timedelta(days=1))
    builder = builder.not_valid_after(begins + timedelta(days=days))
    return builder.sign(key, hashes.SHA256())


def der(found: x509.Certificate) -> str:
    """A certificate as metadata write it."""
    return base64.b64encode(found.public_bytes(Encoding.DER)).decode()


@dataclass
class Idp:
    """An identity provider."""

    key: Any = field(default_factory=rsa_key)
    entity_id: str = ENTITY_ID
    now: datetime = NOW
    binding: str = REDIRECT
    sso_url: str = SSO_URL

    @property
    def certificate(self) -> x509.Certificate:
        return certificate(self.key)

    def metadata(self, use: str | None = "signing", **given: str) -> str:
        """Its metadata; *given* are attributes of the entity."""
        attributes = "".join(f' {name}="{value}"' for name, value in given.items())
        is_for = f' use="{use}"' if use else ""
        return f"""<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="{DS}"
    entityID="{self.entity_id}"{attributes}>
  <!-- made by hand -->
  <md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">
    <md:KeyDescriptor{is_for}><ds:KeyInfo><ds:X509Data>
      <ds:X509Certificate>{der(self.certificate)}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="{self.binding}" Location="{self.sso_url}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"""

    def assertion(self, **given: Any) -> Any:
        """An assertion; keywords replace what stands in it, None leaves it out."""
        told = {
            "subject": "subject-1",
            "id": "_assertion-1",
            "issuer": self.entity_id,
            "audience": AUDIENCE,
            "recipient": ACS,
            "in_response_to": REQUEST,
            "not_before": self.now - timedelta(minutes=1),
            "not_on_or_after": self.now + timedelta(minutes=5),
            "confirmed_until": self.now + timedelta(minutes=5),
            "authn_instant": self.now,
            "method": "urn:oasis:names:tc:SAML:2.0:cm:bearer",
            "format": None,
            "version": "2.0",
            "attributes": {EMAIL: ["ada@acme.example"], NAME: ["Ada Lovelace"]},
            **given,
        }
        root = etree.Element(tag(SAML, "Assertion"), nsmap={"saml": SAML})
        _set(root, ID=told["id"], Version=told["version"], IssueInstant=self.now)
        _add(root, "Issuer", told["issuer"])
        subject = _add(root, "Subject", "")
        name = _add(subject, "NameID", told["subject"])
        _set(name, Format=told["format"])
        confirmation = _set(_add(subject, "SubjectConfirmation", ""), Method=told["method"])
        _set(
            _add(confirmation, "SubjectConfirmationData", ""),
            Recipient=told["recipient"],
            InResponseTo=told["in_response_to"],
            NotOnOrAfter=told["confirmed_until"],
        )
        conditions = _add(root, "Conditions", "")
        _set(conditions, NotBefore=told["not_before"], NotOnOrAfter=told["not_on_or_after"])
        if told["audience"] is not None:
            _add(_add(conditions, "AudienceRestriction", ""), "Audience", told["audience"])
        if told["authn_instant"] is not None:
            statement = _set(_add(root, "AuthnStatement", ""), AuthnInstant=told["authn_instant"])
            context = _add(statement, "AuthnContext", "")
            _add(context, "AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password")
        if told["attributes"] is not None:
            statement = _add(root, "AttributeStatement", "")
            for attribute, values in told["attributes"].items():
                one = _set(_add(statement, "Attribute", ""), Name=attribute)
                for value in values:
                    _add(one, "AttributeValue", value)
        return root

    def response(self, *assertions: Any, **given: Any) -> Any:
        """A response around assertions."""
        told = {
            "id": "_response-1",
            "issuer": self.entity_id,
            "destination": ACS,
            "in_response_to": REQUEST,
            "status": "urn:oasis:names:tc:SAML:2.0:status:Success",
            "version": "2.0",
            **given,
        }
        root = etree.Element(tag(SAMLP, "Response"), nsmap={"samlp": SAMLP, "saml": SAML})
        _set(
            root,
            ID=told["id"],
            Version=told["version"],
            IssueInstant=self.now,
            Destination=told["destination"],
            InResponseTo=told["in_response_to"],
        )
        if told["issuer"] is not None:
            _add(root, "Issuer", told["issuer"])
        status = etree.SubElement(root, tag(SAMLP, "Status"))
        _set(etree.SubElement(status, tag(SAMLP, "StatusCode")), Value=told["status"])
        root.extend(assertions)
        return root

    def sign(self, element: Any, key: Any = None, **given: Any) -> Any:
        """Give an element with a signature behind its issuer, as SAML has it."""
        signing, told = key or self.key, dict(given)
        is_ec = isinstance(signing, ec.EllipticCurvePrivateKey)
        usual = SignatureMethod.ECDSA_SHA256 if is_ec else SignatureMethod.RSA_SHA256
        signer = _Signer(
            signature_algorithm=told.pop("method", usual),
            digest_algorithm=told.pop("digest", DigestAlgorithm.SHA256),
            c14n_algorithm=told.pop(
                "c14n", CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
            ),
        )
        unsigned = copy.deepcopy(element)
        place = etree.Element(tag(DS, "Signature"), Id="placeholder", nsmap={"ds": DS})
        unsigned.insert(1, place)
        told.setdefault("cert", [certificate(signing)] if hasattr(signing, "public_key") else None)
        reference = SignatureReference(
            f"#{element.get('ID')}", signer.c14n_alg, told.pop("prefixes", None)
        )
        return signer.sign(unsigned, key=signing, reference_uri=[reference], **told)

    def good(self, **given: Any) -> Any:
        """A response whose assertion is signed."""
        return self.response(self.sign(self.assertion(**given)))

    def signed_whole(self, **given: Any) -> Any:
        """A response that is signed itself, around an assertion that is not."""
        return self.sign(self.response(self.assertion(**given)))

    def expected(self, **given: Any) -> Expected:
        """What a response of this provider has to fit."""
        told = {
            "issuer": self.entity_id,
            "keys": [self.certificate],
            "own_keys": [rsa_key(9)],
            "audience": AUDIENCE,
            "acs_url": ACS,
            "request_id": REQUEST,
            "now": self.now,
            **given,
        }
        return Expected(**told)


class _Signer(XMLSigner):
    """Signs with SHA-1 too, and writes the prefixes that it has kept."""

    def check_deprecated_methods(self) -> None:
        """Let everything pass."""

    def _build_transforms_for_reference(
        self, *, transforms_node: Any, reference: SignatureReference, **given: Any
    ) -> None:
        super()._build_transforms_for_reference(
            transforms_node=transforms_node, reference=reference, **given
        )
        if reference.inclusive_ns_prefixes and len(transforms_node) > 1:
            kept = " ".join(reference.inclusive_ns_prefixes)
            name = tag(EXCLUSIVE_C14N, "InclusiveNamespaces")
            etree.SubElement(transforms_node[1], name, PrefixList=kept)


def encrypted(
    assertion: Any,
    key: rsa.RSAPrivateKey | None = None,
    *,
    cipher: str = f"{XENC11}aes256-gcm",
    bits: int = 256,
    transport: str = f"{XENC}rsa-oaep-mgf1p",
    digest: str | None = None,
    mgf: str | None = None,
    oaep: padding.OAEP | None = None,
    beside: bool = False,
) -> Any:
    """An assertion encrypted for who has a key."""
    session = AESGCM.generate_key(bits)
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(session).encrypt(nonce, etree.tostring(assertion), None)
    usual = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    wrapped = (key or rsa_key(9)).public_key().encrypt(session, oaep or usual)
    root = etree.Element(tag(SAML, "EncryptedAssertion"), nsmap={"saml": SAML, "xenc": XENC})
    data = etree.SubElement(root, tag(XENC, "EncryptedData"), Type=f"{XENC}Element")
    etree.SubElement(data, tag(XENC, "EncryptionMethod"), Algorithm=cipher)
    info = etree.SubElement(data, tag(DS, "KeyInfo"))
    one = etree.SubElement(root if beside else info, tag(XENC, "EncryptedKey"))
    method = etree.SubElement(one, tag(XENC, "EncryptionMethod"), Algorithm=transport)
    if digest:
        etree.SubElement(method, tag(DS, "DigestMethod"), Algorithm=digest)
    if mgf:
        etree.SubElement(method, tag(XENC11, "MGF"), Algorithm=mgf)
    for parent, value in ((one, wrapped), (data, sealed)):
        inside = etree.SubElement(parent, tag(XENC, "CipherData"))
        text = base64.b64encode(value).decode()
        etree.SubElement(inside, tag(XENC, "CipherValue")).text = text
    return root


def raw(tree: Any) -> bytes:
    """A document's bytes."""
    written_out: bytes = etree.tostring(tree)
    return written_out


def encoded(tree: Any) -> str:
    """A document as a form carries it."""
    return base64.b64encode(tree if isinstance(tree, bytes) else raw(tree)).decode()


def find(tree: Any, path: str) -> Any:
    """Give the first element at a path."""
    found = tree.xpath(path, namespaces=NAMESPACES)
    assert found, path
    return found[0]


def _add(parent: Any, name: str, text: str | None) -> Any:
    element = etree.SubElement(parent, tag(SAML, name))
    element.text = text or None
    return element


def _set(element: Any, **given: Any) -> Any:
    for name, value in given.items():
        if value is not None:
            element.set(name, written(value) if isinstance(value, datetime) else value)
    return element
