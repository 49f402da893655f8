"""Requests to identity providers (SAML Bindings §3.4 and §3.5), and the page that posts one."""

import base64
import hashlib
import zlib
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from app.federation.saml.metadata import POST
from app.federation.saml.parsing import DS, SAML, SAMLP, Element, tag
from app.federation.saml.times import written

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SCRIPT = "document.forms[0].submit()"
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signing in</title>
<link rel="icon" href="data:,">
</head>
<body>
<form method="post" action="{{action}}">
<input type="hidden" name="SAMLRequest" value="{{request}}">
<input type="hidden" name="RelayState" value="{{relay_state}}">
<noscript><button type="submit">Continue to sign in</button></noscript>
</form>
<script>{_SCRIPT}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Signer:
    """What requests are signed with."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request to sign somebody in.

    Attributes:
        id: Its id, which the response repeats.
        sso_url: Where it goes.
        acs_url: Where the response comes to.
        issuer: Our entity id.
        issued_at: The time.
        is_anew: Whether the person has to sign in although a session is there.
    """

    id: str
    sso_url: str
    acs_url: str
    issuer: str
    issued_at: datetime
    is_anew: bool

    def by_redirect(self, relay_state: str, signer: Signer | None) -> str:
        """Give the URL that carries it; the signature is over the query (SAML Bindings §3.4.4.1).

        An XML signature has no place in a redirect.
        """
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(etree.tostring(self._element())) + packer.flush()
        given = {"SAMLRequest": base64.b64encode(packed).decode(), "RelayState": relay_state}
        if signer is not None:
            given["SigAlg"] = RSA_SHA256
        query = urlencode(given, quote_via=quote, safe="")
        if signer is not None:
            signature = signer.key.sign(query.encode(), padding.PKCS1v15(), SHA256())
            query += f"&Signature={quote(base64.b64encode(signature), safe='')}"
        mark = "&" if urlsplit(self.sso_url).query else "?"
        return f"{self.sso_url}{mark}{query}"

    def by_form(self, relay_state: str, signer: Signer | None) -> "Page":
        """Give the page that posts it, signed as XML."""
        element = self._element()
        if signer is not None:
            element.insert(1, etree.Element(tag(DS, "Signature"), Id="placeholder"))
            element = XMLSigner(
                c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
            ).sign(element, key=signer.key, cert=[signer.certificate], reference_uri=f"#{self.id}")
        request = base64.b64encode(etree.tostring(element)).decode()
        return Page.of(self.sso_url, request, relay_state)

    def _element(self) -> Element:
        root = etree.Element(tag(SAMLP, "AuthnRequest"), nsmap={"samlp": SAMLP, "saml": SAML})
        root.set("ID", self.id)
        root.set("Version", "2.0")
        root.set("IssueInstant", written(self.issued_at))
        root.set("Destination", self.sso_url)
        root.set("AssertionConsumerServiceURL", self.acs_url)
        root.set("ProtocolBinding", POST)
        if self.is_anew:
            root.set("ForceAuthn", "true")
        etree.SubElement(root, tag(SAML, "Issuer")).text = self.issuer
        etree.SubElement(root, tag(SAMLP, "NameIDPolicy"), AllowCreate="true")
        return root


@dataclass(frozen=True, slots=True)
class Page:
    """A page that posts itself, and the policy under which it may."""

    html: str
    policy: str

    @classmethod
    def of(cls, action: str, request: str, relay_state: str) -> "Page":
        """Write the page; every value in it is escaped (SEC-093).

        A provider may lead its form on to another place of its own, which browsers hold against
        `form-action` as well.
        """
        parts = urlsplit(action)
        html = _PAGE.format(
            action=escape(action), request=escape(request), relay_state=escape(relay_state)
        )
        policy = (
            f"default-src 'none'; script-src 'sha256-{_SCRIPT_HASH}'; img-src data:; "
            f"form-action {parts.scheme}://{parts.netloc} https:; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        return cls(html, policy)
