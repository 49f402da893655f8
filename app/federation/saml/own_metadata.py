"""Our own metadata, for identity providers to read (SAML Metadata §2.4.4)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from app.federation.saml.encryption import CIPHERS, OAEP, OAEP_MGF1P
from app.federation.saml.metadata import POST
from app.federation.saml.parsing import DS, MD, SAMLP, Element, tag
from app.federation.saml.times import written

LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OwnMetadata:
    """What is told of us.

    Attributes:
        entity_id: Our name.
        acs_url: Where responses come to.
        signs_requests: Whether requests are signed.
        wants_signed: Whether assertions have to be signed.
        certificates: Our certificates, the one in use first.
        now: The time.
    """

    entity_id: str
    acs_url: str
    signs_requests: bool
    wants_signed: bool
    certificates: Sequence[x509.Certificate]
    now: datetime

    def written(self) -> bytes:
        """Write the document."""
        root = etree.Element(tag(MD, "EntityDescriptor"), nsmap={"md": MD, "ds": DS})
        root.set("entityID", self.entity_id)
        root.set("validUntil", written(self.now + LIFETIME))
        role = etree.SubElement(
            root,
            tag(MD, "SPSSODescriptor"),
            AuthnRequestsSigned=_flag(self.signs_requests),
            WantAssertionsSigned=_flag(self.wants_signed),
            protocolSupportEnumeration=SAMLP,
        )
        for use in ("signing", "encryption"):
            for certificate in self.certificates:
                self._add_key(role, use, certificate)
        etree.SubElement(
            role,
            tag(MD, "AssertionConsumerService"),
            Binding=POST,
            Location=self.acs_url,
            index="1",
            isDefault="true",
        )
        document: bytes = etree.tostring(
            root, encoding="UTF-8", xml_declaration=True, pretty_print=True
        )
        return document

    @staticmethod
    def _add_key(role: Element, use: str, certificate: x509.Certificate) -> None:
        descriptor = etree.SubElement(role, tag(MD, "KeyDescriptor"), use=use)
        info = etree.SubElement(descriptor, tag(DS, "KeyInfo"))
        data = etree.SubElement(info, tag(DS, "X509Data"))
        raw = certificate.public_bytes(Encoding.DER)
        etree.SubElement(data, tag(DS, "X509Certificate")).text = base64.b64encode(raw).decode()
        if use == "encryption":
            for algorithm in (*reversed(CIPHERS), OAEP, OAEP_MGF1P):
                etree.SubElement(descriptor, tag(MD, "EncryptionMethod"), Algorithm=algorithm)


def _flag(value: bool) -> str:  # noqa: FBT001  # what is written, no switch
    return "true" if value else "false"
