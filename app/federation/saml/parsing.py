"""The one parser of XML (SEC-087). What it lets through is read, and nothing else.

A document is UTF-8 without a DOCTYPE, entities, processing instructions, XInclude and ids that
stand twice. Protocol messages hold no comment either, so that no text can be cut in two.
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from app.federation.saml.errors import ResponseUnreadable

Element = Any
"""An element of lxml, which has no types."""

MAX_SIZE = 1024 * 1024
MAX_ELEMENTS = 10_000
MAX_DEPTH = 60
MAX_ATTRIBUTES = 50
MAX_ALL_ATTRIBUTES = 20_000
MAX_DECLARED = 4_000
MAX_IN_SCOPE = 60
"""Namespaces that may be in scope at one place: canonical XML takes the square of them in time."""

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_FORBIDDEN = (b"<!DOCTYPE", b"<!ENTITY", b"\x00")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,255}")


def parse(document: bytes, *, comments: bool = False) -> Element:
    """Parse a document and give its root.

    Args:
        document: The bytes; nothing in them is repaired.
        comments: Whether comments may stand in it, as they do in metadata.

    Raises:
        ResponseUnreadable: It is not what this parser takes.
    """
    if not document or len(document) > MAX_SIZE or any(bad in document for bad in _FORBIDDEN):
        raise ResponseUnreadable
    if document.count(b"xmlns") > MAX_DECLARED:
        raise ResponseUnreadable
    try:
        document.decode("utf-8")
        root = etree.fromstring(document, hardened())
    except (etree.LxmlError, ValueError):
        raise ResponseUnreadable from None
    _check(root, comments=comments)
    return root


def hardened() -> etree.XMLParser:
    """Make a parser that loads nothing, repairs nothing and keeps all that is there."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        recover=False,
        huge_tree=False,
        remove_comments=False,
        remove_pis=False,
        collect_ids=False,
    )


def ids_of(root: Element) -> list[str]:
    """List the ids in a tree, of whatever spelling: `ID`, `Id`, `id`, `xml:id`."""
    return [
        value
        for element in root.iter(etree.Element)
        for name, value in element.attrib.items()
        if etree.QName(name).localname.lower() == "id"
    ]


def is_id(text: str | None) -> bool:
    """Say whether a text is an id that a reference can name."""
    return text is not None and _ID.fullmatch(text) is not None


def tag(namespace: str, name: str) -> str:
    """Write a name as lxml does."""
    return f"{{{namespace}}}{name}"


def children(parent: Element, namespace: str, name: str) -> list[Element]:
    """List the direct children of a name; nothing deeper is ever looked for (SEC-086)."""
    return list(parent.iterchildren(tag(namespace, name)))


def only(parent: Element, namespace: str, name: str) -> Element:
    """Give the one direct child of a name.

    Raises:
        ResponseUnreadable: There is none, or there are several.
    """
    found = children(parent, namespace, name)
    if len(found) != 1:
        raise ResponseUnreadable
    return found[0]


def text_of(element: Element) -> str:
    """Give all of an element's text, without the space around it.

    Raises:
        ResponseUnreadable: There is anything but text in it (SEC-087).
    """
    if len(element):
        raise ResponseUnreadable
    text: str = element.text or ""
    return text.strip()


def _check(root: Element, *, comments: bool) -> None:
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        raise ResponseUnreadable
    beside = [*root.itersiblings(), *root.itersiblings(preceding=True)]
    attributes = 0
    for count, node in enumerate(_nodes(root, beside)):
        attributes += len(node.attrib)
        if count > MAX_ELEMENTS or attributes > MAX_ALL_ATTRIBUTES:
            raise ResponseUnreadable
        if node.tag is etree.Comment and comments:
            continue
        if not isinstance(node.tag, str) or etree.QName(node).namespace == _XINCLUDE:
            raise ResponseUnreadable
        if len(node.attrib) > MAX_ATTRIBUTES:
            raise ResponseUnreadable
    if _most_open(root, "start", "end") > MAX_DEPTH:
        raise ResponseUnreadable
    if _most_open(root, "start-ns", "end-ns") > MAX_IN_SCOPE:
        raise ResponseUnreadable
    ids = ids_of(root)
    if len(ids) != len(set(ids)):
        raise ResponseUnreadable


def _nodes(root: Element, beside: list[Element]) -> Iterator[Element]:
    yield from beside
    yield from root.iter()


def _most_open(root: Element, begins: str, ends: str) -> int:
    """Say how many elements, or declarations of namespaces, are open at one place at most."""
    most = count = 0
    for event, _ in etree.iterwalk(root, events=(begins, ends)):
        count += 1 if event == begins else -1
        most = max(most, count)
    return most
