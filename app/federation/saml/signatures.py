"""Signatures of XML: who has signed, and what exactly (SEC-085, SEC-086, SEC-088).

The shape of a signature is judged first, by a list of what may stand in it. Then signxml verifies
it with the keys that the provider's metadata pin, and gives back the bytes that were signed, parsed
anew; whoever calls this reads those and forgets the document they came in.
"""

import base64
import binascii
import logging
import re
from collections.abc import Sequence

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from app.federation.saml.errors import ResponseUnsigned
from app.federation.saml.parsing import (
    DS,
    EXCLUSIVE_C14N,
    Element,
    children,
    hardened,
    is_id,
    tag,
    text_of,
)

METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHODS = frozenset(method.value for method in METHODS)
_DIGESTS = {
    DigestAlgorithm.SHA256.value: 32,
    DigestAlgorithm.SHA384.value: 48,
    DigestAlgorithm.SHA512.value: 64,
}
_ENVELOPED = f"{DS}enveloped-signature"
_PREFIXES = re.compile(
    r"(?:#default|[A-Za-z_][\w.-]{0,39})(?: (?:#default|[A-Za-z_][\w.-]{0,39}))*"
)
_MOST_PREFIXES = 20
_MOST_KEYS = 16
_log = logging.getLogger("sekisho.federation.saml")


def signature_of(parent: Element) -> Element | None:
    """Give the signature that stands in an element, if there is one.

    Raises:
        ResponseUnsigned: There are several.
    """
    found = children(parent, DS, "Signature")
    if len(found) > 1:
        raise ResponseUnsigned
    return found[0] if found else None


def verified(document: Element, parent: Element, keys: Sequence[x509.Certificate]) -> Element:
    """Give an element as it was signed, without its signature, as a tree of its own.

    Args:
        document: The root of the document, or of what was decrypted.
        parent: The root itself, or its only child of this name; the signature is a child of this.
        keys: The certificates that metadata pin; what `KeyInfo` says is not looked at. A
            certificate stands for its key as long as metadata publish it, whatever its own dates.

    Raises:
        ResponseUnsigned: The signature is not of an allowed shape, or not by one of the keys.
    """
    signature = signature_of(parent)
    if signature is None or not _is_allowed(signature, parent):
        raise ResponseUnsigned
    location = "./" if parent is document else f"./{parent.tag}/"
    written = etree.tostring(document, with_tail=False)
    for key in keys[:_MOST_KEYS]:
        signed = _verified_with(written, location, key)
        if signed is not None and _is_the_same(signed, parent):
            return signed
    raise ResponseUnsigned


def _verified_with(document: bytes, location: str, key: x509.Certificate) -> Element | None:
    """Give what a key has signed, or None where it has not."""
    config = SignatureConfiguration(
        location=location,
        signature_methods=METHODS,
        digest_algorithms=DIGESTS,
        ignore_ambiguous_key_info=True,
        verification_time=key.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(
            document,
            x509_cert=key,
            parser=hardened(),
            id_attribute="ID",
            expect_config=config,
        )
    except Exception as error:  # noqa: BLE001  # whatever a library trips over is no signature
        _log.debug("a signature was refused: %s", type(error).__name__)
        return None
    if isinstance(result, list) or not result.signed_data:
        return None
    return result.signed_xml


def _is_the_same(signed: Element, parent: Element) -> bool:
    return (signed.tag, signed.get("ID")) == (parent.tag, parent.get("ID"))


def _is_allowed(signature: Element, parent: Element) -> bool:
    """Say whether a signature has the one shape that SAML asks for (SAML Core §5.4)."""
    infos, values = children(signature, DS, "SignedInfo"), children(signature, DS, "SignatureValue")
    if len(infos) != 1 or len(values) != 1 or children(signature, DS, "Object"):
        return False
    if list(signature)[:2] != [infos[0], values[0]] or not _binary(values[0]):
        return False
    parts = list(infos[0])
    names = [part.tag for part in parts]
    if names != [
        tag(DS, "CanonicalizationMethod"),
        tag(DS, "SignatureMethod"),
        tag(DS, "Reference"),
    ]:
        return False
    method = parts[1].get("Algorithm")
    return (
        _is_canonical(parts[0])
        and len(parts[0]) == 0
        and method in _METHODS
        and len(parts[1]) == 0
        and _refers_to(parts[2], parent)
    )


def _refers_to(reference: Element, parent: Element) -> bool:
    """Say whether a reference is to the signature's own parent, whole."""
    target = parent.get("ID")
    if not is_id(target) or reference.get("URI") != f"#{target}":
        return False
    parts = list(reference)
    names = [part.tag for part in parts]
    if names != [tag(DS, "Transforms"), tag(DS, "DigestMethod"), tag(DS, "DigestValue")]:
        return False
    transforms, method, value = parts
    steps = list(transforms)
    if [step.tag for step in steps] != [tag(DS, "Transform")] * 2 or len(method):
        return False
    is_enveloped = steps[0].get("Algorithm") == _ENVELOPED and not len(steps[0])
    size = _DIGESTS.get(method.get("Algorithm"))
    return is_enveloped and _is_canonical(steps[1]) and len(_binary(value)) == size


def _is_canonical(method: Element) -> bool:
    """Say whether a method is exclusive canonical XML, with a list of a few prefixes at most."""
    if method.get("Algorithm") != EXCLUSIVE_C14N or len(method) > 1:
        return False
    for inclusive in method:
        prefixes = inclusive.get("PrefixList", "")
        if inclusive.tag != tag(EXCLUSIVE_C14N, "InclusiveNamespaces") or len(inclusive):
            return False
        if not _PREFIXES.fullmatch(prefixes) or prefixes.count(" ") >= _MOST_PREFIXES:
            return False
    return True


def _binary(element: Element) -> bytes:
    """Read base64, with nothing between but white space; empty where it is none."""
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
