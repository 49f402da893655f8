"""Signatures: only what was signed is read, and only pinned keys sign (SEC-085…088)."""

import base64
import copy

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from federation.saml.idp import ENTITY_ID, NOW, Idp, certificate, der, find, raw, rsa_key
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod

from app.errors import IdentityError
from app.federation.saml import responses
from app.federation.saml.errors import ResponseUnreadable, ResponseUnsigned
from app.federation.saml.metadata import read as read_metadata
from app.federation.saml.parsing import DS, MAX_IN_SCOPE, SAML, SAMLP, parse, tag
from app.federation.saml.responses import read

IDP = Idp()
EVIL = "subject-evil"
pytestmark = pytest.mark.one_database


def refused(tree, error=ResponseUnsigned, **expected):
    document = tree if isinstance(tree, bytes) else raw(tree)
    with pytest.raises(error):
        read(document, IDP.expected(**expected))


def signature(tree):
    return find(tree, "//ds:Signature")


# Who has signed


def test_a_key_that_is_not_pinned_signs_nothing_sec_085():
    foreign = rsa_key(1)
    refused(IDP.response(IDP.sign(IDP.assertion(), foreign)))
    refused(IDP.sign(IDP.response(IDP.assertion()), foreign))


@pytest.mark.parametrize("how", ["certificate", "key value", "both", "none"])
def test_key_info_chooses_no_key_sec_085(how):
    foreign = rsa_key(1)
    given = {"cert": None if how in ("key value", "none") else [certificate(foreign)]}
    tree = IDP.response(
        IDP.sign(IDP.assertion(), foreign, always_add_key_value=how != "certificate", **given)
    )
    refused(tree)
    honest = IDP.response(IDP.sign(IDP.assertion()))
    find(honest, "//ds:X509Certificate").text = der(certificate(foreign))
    assert read(raw(honest), IDP.expected()).subject == "subject-1"


def test_one_of_several_pinned_keys_is_enough_sec_085():
    keys = [certificate(rsa_key(1)), IDP.certificate]
    assert read(raw(IDP.good()), IDP.expected(keys=keys))
    refused(IDP.good(), keys=[])


def test_a_key_descriptor_without_use_pins_a_key_and_one_for_encryption_none_sec_085():
    for use in ("signing", None):
        keys = read_metadata(IDP.metadata(use).encode()).keys
        assert read(raw(IDP.good()), IDP.expected(keys=keys))
        refused(IDP.response(IDP.assertion()), keys=keys)
    with pytest.raises(IdentityError):
        read_metadata(IDP.metadata("encryption").encode())


def test_what_nobody_has_signed_is_refused_sec_085():
    refused(IDP.response(IDP.assertion()))
    emptied = IDP.good()
    signature(emptied).getparent().remove(signature(emptied))
    refused(emptied)


@pytest.mark.parametrize("value", ["", " ", "AAAA", "no base64", "=", "QUJD" * 86, "\u00e4"])
def test_a_signature_value_that_is_none_is_refused_sec_085(value):
    tree = IDP.good()
    find(tree, "//ds:SignatureValue").text = value
    refused(tree)


@pytest.mark.parametrize("path", ["//saml:NameID", "//saml:Audience", "//saml:AttributeValue"])
def test_what_was_changed_after_signing_is_refused_sec_085(path):
    for tree in (IDP.good(), IDP.signed_whole()):
        find(tree, path).text += "x"
        refused(tree)


# What was signed: signature wrapping, as Somorovsky and others have named it


def evil(good):
    """A copy that names somebody else, and is not signed."""
    found = copy.deepcopy(good)
    for one in found.xpath("//ds:Signature", namespaces={"ds": DS}):
        if one.getparent() is not None:
            one.getparent().remove(one)
    find(found, ".//saml:NameID").text = EVIL
    return found


def wrapped(number, same_id):
    """The eight arrangements, with the id of what was signed or with another."""
    whole = number <= 2
    original = IDP.signed_whole() if whole else IDP.good()
    signed = original if whole else find(original, "saml:Assertion")
    forged, sig = evil(signed), copy.deepcopy(find(signed, "ds:Signature"))
    if not same_id:
        forged.set("ID", "_evil")
    stripped = copy.deepcopy(signed)
    stripped.remove(find(stripped, "ds:Signature"))
    if whole:
        return wrapped_whole(number, forged, sig, stripped)
    root = evil(original)
    root.remove(find(root, "saml:Assertion"))
    wrap_assertion(number, root, forged, copy.deepcopy(signed), sig, stripped)
    return root


def wrapped_whole(number, forged, sig, stripped):
    """A forged response around a signed one."""
    if number == 1:  # inside of the signature
        etree.SubElement(sig, tag(DS, "Object")).append(stripped)
        forged.insert(1, sig)
    else:  # beside it
        forged.insert(1, sig)
        forged.insert(1, stripped)
    return forged


def wrap_assertion(number, root, forged, signed, sig, stripped):  # noqa: PLR0917
    """A forged assertion beside, around or before a signed one."""
    if number in (3, 4):  # before the signed one, or around it
        (root if number == 3 else forged).append(signed)
        root.insert(2, forged)
    elif number == 5:  # the signature in the forged one, the signed one behind
        forged.insert(1, sig)
        root.extend([forged, stripped])
    elif number == 7:  # in an extension, before the signed one
        extensions = etree.Element(tag(SAMLP, "Extensions"))
        extensions.append(forged)
        root.insert(1, extensions)
        root.append(signed)
    else:  # the signed one inside of the signature of the forged one, in an object of it or not
        (sig if number == 6 else etree.SubElement(sig, tag(DS, "Object"))).append(stripped)
        forged.insert(1, sig)
        root.append(forged)


@pytest.mark.parametrize("same_id", [False, True])
@pytest.mark.parametrize("number", range(1, 9))
def test_signature_wrapping_of_each_kind_is_refused_sec_086(number, same_id):
    tree = wrapped(number, same_id)
    assert EVIL in raw(tree).decode()
    refused(tree, (ResponseUnsigned, ResponseUnreadable))


@pytest.mark.parametrize("behind", [False, True])
def test_two_assertions_are_one_too_many_sec_086(behind):
    tree = IDP.good()
    other = IDP.assertion(id="_assertion-2", subject=EVIL)
    (tree.append if behind else lambda one: tree.insert(2, one))(other)
    refused(tree)
    refused(IDP.response(IDP.sign(IDP.assertion()), IDP.sign(other)))
    refused(IDP.sign(IDP.response(IDP.assertion(), other)))


def test_a_signature_that_looks_like_the_response_s_covers_nothing_sec_086():
    tree = IDP.response(IDP.assertion(subject=EVIL))
    tree.insert(1, copy.deepcopy(signature(IDP.signed_whole())))
    refused(tree)
    moved = IDP.response(IDP.assertion(subject=EVIL))
    moved.insert(1, copy.deepcopy(signature(IDP.good())))
    refused(moved)


def test_every_signature_that_is_there_has_to_be_good_sec_086():
    tree = IDP.response(IDP.sign(IDP.assertion()))
    tree.insert(1, copy.deepcopy(signature(IDP.sign(IDP.response(IDP.assertion()), rsa_key(1)))))
    refused(tree)
    inner = IDP.response(IDP.sign(IDP.assertion(), rsa_key(1)))
    refused(IDP.sign(inner))


@pytest.mark.parametrize("made", [IDP.good, IDP.signed_whole])
def test_only_what_the_verification_gives_back_is_read_sec_086(made, monkeypatch):
    def other(document, parent, keys):
        signed = copy.deepcopy(parent)
        find(signed, ".//saml:NameID").text = "as-it-was-signed"
        return signed

    monkeypatch.setattr(responses, "verified", other)
    assert read(raw(made()), IDP.expected()).subject == "as-it-was-signed"


def test_two_signatures_of_one_element_are_refused_sec_086():
    tree = IDP.good()
    signature(tree).addnext(copy.deepcopy(signature(tree)))
    refused(tree)


@pytest.mark.parametrize("uri", ["", "#_other", "#_response-1", "##_assertion-1", None, "http://x"])
def test_a_reference_is_to_its_parent_sec_086(uri):
    tree = IDP.good()
    reference = find(tree, "//ds:Reference")
    reference.attrib.pop("URI")
    if uri is not None:
        reference.set("URI", uri)
    refused(tree)


def test_a_second_reference_is_refused_sec_086():
    tree = IDP.good()
    reference = find(tree, "//ds:Reference")
    reference.addnext(copy.deepcopy(reference))
    refused(tree)


def test_a_comment_in_a_name_cuts_nothing_off_sec_087():
    tree = raw(IDP.good(subject="ada@acme.example.evil.example"))
    cut = tree.replace(b"ada@acme.example.evil", b"ada@acme.example<!-- -->.evil")
    refused(cut, ResponseUnreadable)


@pytest.mark.parametrize("path", ["saml:NameID", "saml:AttributeValue", "ds:DigestValue"])
@pytest.mark.parametrize("node", [etree.Comment("x"), etree.ProcessingInstruction("x", "y")])
def test_a_comment_or_instruction_refuses_the_document_sec_087(path, node):
    tree = IDP.good()
    element = find(tree, f"//{path}")
    element.insert(0, copy.deepcopy(node))
    refused(tree, ResponseUnreadable)


def test_a_comment_in_a_signature_value_refuses_the_document_sec_087():
    document = raw(IDP.good()).replace(b"<ds:SignatureValue>", b"<ds:SignatureValue><!--x-->")
    refused(document, ResponseUnreadable)


DOCUMENTS = {
    "doctype": b"<!DOCTYPE x>%s",
    "doctype behind a comment": b"<!-- --><!DOCTYPE x>%s",
    "entity": b'<!DOCTYPE x [<!ENTITY a "b">]>%s',
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>%s',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY %% a SYSTEM "http://127.0.0.1/">%%a;]>%%s',
    "instruction": b"<?x y?>%s",
    "comment before": b"<!-- -->%s",
    "comment behind": b"%s<!-- -->",
    "text behind": b"%sx",
    "a second root": b"%s<x/>",
    "another encoding": b'<?xml version="1.0" encoding="utf-7"?>%s+ADw-',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_may_not_hold_sec_087(name):
    template = DOCUMENTS[name].replace(b"%%", b"%")
    refused(template.replace(b"%s", raw(IDP.good())), ResponseUnreadable)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"])
def test_a_document_is_utf_8_sec_087(encoding):
    text = raw(IDP.good()).decode()
    document = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE x>{text}".encode(encoding)
    refused(document, ResponseUnreadable)


def test_a_declared_encoding_is_not_believed_sec_087():
    declared = b"<?xml version='1.0' encoding='cp037'?>" + raw(IDP.good())
    assert told(declared) in (None, (FACTS.subject, FACTS.attributes))


@pytest.mark.parametrize(
    "attribute", ["ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id"]
)
def test_an_id_stands_once_however_it_is_spelt_sec_087(attribute):
    tree = IDP.good()
    find(tree, "samlp:Status").set(attribute, "_assertion-1")
    refused(tree, ResponseUnreadable)


def test_an_inclusion_refuses_the_document_sec_087():
    tree = IDP.good()
    etree.SubElement(find(tree, "samlp:Status"), "{http://www.w3.org/2001/XInclude}include")
    refused(tree, ResponseUnreadable)


def test_what_cannot_be_made_canonical_is_not_verified_sec_087():
    document = raw(IDP.good()).replace(
        b"<saml:NameID", b'<saml:NameID xmlns:x="relative" x:y="1"', 1
    )
    refused(document, (ResponseUnsigned, ResponseUnreadable))


@pytest.mark.parametrize("document", [b"", b"<", b"x", b"<a>" * 400 + b"</a>" * 400, b"<x/>"])
def test_what_is_no_response_is_refused_sec_087(document):
    refused(document, ResponseUnreadable)


def test_a_document_has_its_limits_sec_087():
    many = b"<x/>" * 10_001
    refused(raw(IDP.good()).replace(b"</samlp:Status>", many + b"</samlp:Status>"), IdentityError)
    for document in (
        b"<a>" + b" " * 1024 * 1024 + b"</a>",
        b"<a " + b" ".join(b"x%d='1'" % n for n in range(60)) + b"/>",
        b"<a " + b" ".join(b"xmlns:x%d='urn:%d'" % (n, n) for n in range(5_000)) + b"/>",
        b"<a>" * 70 + b"</a>" * 70,
        b"<a>" + b"<x/>" * 10_001 + b"</a>",
    ):
        with pytest.raises(ResponseUnreadable):
            parse(document)


def declaring(count):
    return " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(count))


def test_namespaces_in_scope_are_few_before_anything_is_made_canonical_sec_087():
    """SEC-087: canonical XML takes the square of them in time, for each key anew."""
    text = raw(IDP.good()).decode()
    fits = MAX_IN_SCOPE - text.count("xmlns")
    for count, is_read in ((fits, True), (MAX_IN_SCOPE, False), (3_900, False)):
        changed = text.replace("<samlp:Response ", f"<samlp:Response {declaring(count)} ", 1)
        assert (told(changed.encode()) is not None) == is_read
    nested = (
        "".join(f'<x xmlns:m{n}="urn:{n}" xmlns:k{n}="urn:k">' for n in range(40)) + "</x>" * 40
    )
    for many in (f"<x {declaring(3_900)}/>", nested):
        document = text.replace("</samlp:Status>", f"{many}</samlp:Status>")
        refused(document.encode(), ResponseUnreadable)


def test_each_value_may_declare_the_namespaces_of_its_type():
    values = "<x xmlns:xs='urn:xs' xmlns:xsi='urn:xsi' xsi:type='xs:string'/>" * 1_000
    assert parse(f"<a>{values}</a>".encode()) is not None


def test_attributes_are_counted_in_all_sec_087():
    some = " ".join(f'a{n}="1"' for n in range(50))
    assert parse(f"<a>{f'<x {some}/>' * 400}</a>".encode()) is not None
    with pytest.raises(ResponseUnreadable):
        parse(f"<a>{f'<x {some}/>' * 401}</a>".encode())


# How it was signed


def test_hmac_with_the_public_certificate_signs_nothing_sec_088():
    for secret in (
        IDP.certificate.public_bytes(Encoding.PEM),
        IDP.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        refused(
            IDP.response(
                IDP.sign(IDP.assertion(), secret, method=SignatureMethod.HMAC_SHA256, cert=None)
            )
        )


def test_an_hmac_of_no_length_signs_nothing_sec_088():
    tree = IDP.good()
    method = find(tree, "//ds:SignatureMethod")
    method.set("Algorithm", SignatureMethod.HMAC_SHA256.value)
    etree.SubElement(method, tag(DS, "HMACOutputLength")).text = "0"
    mac = HMAC(b"", hashes.SHA256()).finalize()
    find(tree, "//ds:SignatureValue").text = base64.b64encode(mac).decode()
    refused(tree)


@pytest.mark.parametrize(
    "how",
    [
        {"method": SignatureMethod.RSA_SHA1},
        {"digest": DigestAlgorithm.SHA1},
        {"method": SignatureMethod.RSA_SHA224},
        {"digest": DigestAlgorithm.SHA224},
        {"c14n": CanonicalizationMethod.CANONICAL_XML_1_1},
        {"c14n": CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS},
        {"exclude_c14n_transform_element": True},
        {"inclusive_ns_prefixes": ["xs"]},
    ],
    ids=str,
)
def test_what_is_not_on_the_list_is_refused_sec_088(how):
    refused(IDP.response(IDP.sign(IDP.assertion(), **how)))


@pytest.mark.parametrize(
    "how",
    [
        {"method": SignatureMethod.RSA_SHA512},
        {"method": SignatureMethod.SHA256_RSA_MGF1},
        {"digest": DigestAlgorithm.SHA512},
        {"prefixes": ["xs", "saml"]},
    ],
    ids=str,
)
def test_what_is_on_the_list_is_taken_sec_088(how):
    assert read(raw(IDP.response(IDP.sign(IDP.assertion(), **how))), IDP.expected())


def test_prefixes_that_values_alone_use_are_kept_where_the_signature_says_so_sec_088():
    schema, instance = (
        "http://www.w3.org/2001/XMLSchema",
        "http://www.w3.org/2001/XMLSchema-instance",
    )
    plain = raw(IDP.assertion()).replace(
        b"<saml:Assertion", (f"<saml:Assertion xmlns:xs='{schema}' xmlns:xsi='{instance}'").encode()
    )
    typed = plain.replace(b"<saml:AttributeValue", b"<saml:AttributeValue xsi:type='xs:string'")
    signed = IDP.sign(etree.fromstring(typed), prefixes=["xs"])
    assert read(raw(IDP.response(signed)), IDP.expected())
    assert read(raw(IDP.sign(IDP.response(signed))), IDP.expected())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_elliptic_curves_sign_as_well_sec_088(curve):
    idp = Idp(key=ec.generate_private_key(curve))
    assert read(raw(idp.good()), idp.expected())
    refused(idp.good())


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_other_transform_is_run_sec_088(algorithm, place):
    tree = IDP.good()
    transforms = find(tree, "//ds:Transforms")
    transforms.insert(place, etree.Element(tag(DS, "Transform"), Algorithm=algorithm))
    refused(tree)
    replaced = IDP.good()
    find(replaced, f"//ds:Transform[{min(place, 1) + 1}]").set("Algorithm", algorithm)
    refused(replaced)


@pytest.mark.parametrize("value", ["", "AAAA", "=", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])
def test_a_digest_that_is_none_is_refused_sec_088(value):
    tree = IDP.good()
    find(tree, "//ds:DigestValue").text = value
    refused(tree)


@pytest.mark.parametrize(
    "prefixes", [" ".join(f"p{n}" for n in range(50)), "a\tb", "a" * 100, " a"]
)
def test_a_list_of_prefixes_has_its_limits_sec_088(prefixes):
    tree = IDP.response(IDP.sign(IDP.assertion(), prefixes=["xs"]))
    find(tree, "//*[local-name()='InclusiveNamespaces']").set("PrefixList", prefixes)
    refused(tree)


def test_weak_keys_are_not_pinned_sec_088():
    weak = Idp(key=ec.generate_private_key(ec.SECP192R1()))
    with pytest.raises(IdentityError):
        read_metadata(weak.metadata().encode())


# Any change


GOOD = [raw(IDP.good()), raw(IDP.signed_whole()), raw(IDP.sign(IDP.good()))]
FACTS = read(GOOD[0], IDP.expected())


def told(document):
    """What is read, or None where nothing is."""
    try:
        found = read(document, IDP.expected())
    except IdentityError:
        return None
    return found.subject, found.attributes


@given(st.sampled_from(GOOD), st.data())
def test_no_byte_can_be_changed_to_say_something_else_sec_086(document, data):
    changed = bytearray(document)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["set", "cut", "add"])):
            case "set":
                changed[at] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[at : at + data.draw(st.integers(1, 40))]
            case "add":
                changed[at:at] = data.draw(st.sampled_from([b"<!---->", b"&#97;", b"x", b" "]))
    assert told(bytes(changed)) in (None, (FACTS.subject, FACTS.attributes))


@given(st.sampled_from(GOOD), st.data())
def test_no_element_can_be_moved_to_say_something_else_sec_086(document, data):
    tree = etree.fromstring(document)
    for _ in range(data.draw(st.integers(1, 3))):
        nodes = list(tree.iter())
        moved = data.draw(st.sampled_from(nodes))
        place = data.draw(st.sampled_from(nodes))
        kind = data.draw(st.sampled_from(["move", "copy", "remove", "rename", "text", "id"]))
        if kind == "remove" and moved.getparent() is not None:
            moved.getparent().remove(moved)
        elif kind == "rename":
            moved.tag = place.tag
        elif kind == "text":
            moved.text = EVIL
        elif kind == "id" and place.get("ID"):
            moved.set("ID", place.get("ID"))
        elif place not in [moved, *moved.iterdescendants()]:
            one = copy.deepcopy(moved) if kind == "copy" or moved is tree else moved
            place.insert(data.draw(st.integers(0, len(place))), one)
    assert told(etree.tostring(tree)) in (None, (FACTS.subject, FACTS.attributes))


def test_the_doubles_are_as_bad_as_they_should_be():
    assert IDP.entity_id == ENTITY_ID
    assert IDP.certificate.not_valid_after_utc > NOW
    assert find(IDP.good(), "saml:Assertion").tag == tag(SAML, "Assertion")
