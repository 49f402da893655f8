"""Encrypted assertions: a plain one's checks, and one way to fail (SEC-088)."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from federation.saml.idp import Idp, encrypted, find, raw, rsa_key
from lxml import etree

from app.errors import IdentityError
from app.federation.saml.encryption import OAEP, OAEP_MGF1P
from app.federation.saml.errors import ResponseUnreadable, ResponseUnsigned
from app.federation.saml.parsing import SAML, XENC, XENC11, tag
from app.federation.saml.responses import read

IDP = Idp()
SHA256 = f"{XENC}sha256"
MGF_SHA256 = f"{XENC11}mgf1sha256"
pytestmark = pytest.mark.one_database


def sealed(assertion=None, **how):
    """A response around an encrypted assertion that is signed."""
    inside = assertion if assertion is not None else IDP.sign(IDP.assertion())
    return IDP.response(encrypted(inside, **how))


def refusal(tree, **expected):
    with pytest.raises(IdentityError) as refused:
        read(raw(tree), IDP.expected(**expected))
    return refused.value


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("beside", [False, True])
def test_an_encrypted_assertion_is_read(bits, beside):
    tree = sealed(cipher=f"{XENC11}aes{bits}-gcm", bits=bits, beside=beside)
    assert read(raw(tree), IDP.expected()).subject == "subject-1"


@pytest.mark.parametrize(
    ("transport", "digest", "mgf", "oaep"),
    [
        (OAEP_MGF1P, None, None, (hashes.SHA1, hashes.SHA1)),
        (OAEP_MGF1P, SHA256, None, (hashes.SHA1, hashes.SHA256)),
        (OAEP, None, None, (hashes.SHA1, hashes.SHA1)),
        (OAEP, SHA256, MGF_SHA256, (hashes.SHA256, hashes.SHA256)),
        (OAEP, SHA256, None, (hashes.SHA1, hashes.SHA256)),
        (OAEP, None, MGF_SHA256, (hashes.SHA256, hashes.SHA1)),
    ],
)
def test_keys_are_wrapped_by_oaep_with_either_hash(transport, digest, mgf, oaep):
    mask, algorithm = oaep
    how = padding.OAEP(padding.MGF1(mask()), algorithm(), None)
    tree = sealed(transport=transport, digest=digest, mgf=mgf, oaep=how)
    assert read(raw(tree), IDP.expected()).subject == "subject-1"


def test_each_of_our_keys_opens_what_is_meant_for_it():
    tree = sealed(key=rsa_key(8))
    keys = [rsa_key(9), rsa_key(8)]
    assert read(raw(tree), IDP.expected(own_keys=keys)).subject == "subject-1"
    assert type(refusal(tree)) is ResponseUnsigned


def test_a_signed_response_speaks_for_the_encrypted_assertion_in_it():
    tree = IDP.sign(IDP.response(encrypted(IDP.assertion())))
    assert read(raw(tree), IDP.expected()).subject == "subject-1"


def test_in_an_unsigned_response_an_encrypted_assertion_has_to_be_signed_sec_088():
    assert type(refusal(sealed(IDP.assertion()))) is ResponseUnsigned
    assert type(refusal(sealed(IDP.sign(IDP.assertion(), rsa_key(1))))) is ResponseUnsigned


@pytest.mark.parametrize(
    "broken",
    [
        {"audience": "urn:other"},
        {"recipient": "https://other.example"},
        {"issuer": "https://idp.other.example"},
        {"in_response_to": "_other"},
        {"not_on_or_after": IDP.now.replace(year=2025)},
    ],
    ids=str,
)
def test_every_check_of_a_plain_assertion_is_made_sec_088(broken):
    refusal(sealed(IDP.sign(IDP.assertion(**broken))))
    refusal(IDP.sign(IDP.response(encrypted(IDP.assertion(**broken)))))


def test_decryption_errors_cannot_be_told_apart_sec_088():
    tampered = sealed()
    value = find(tampered, "//xenc:EncryptedData/xenc:CipherData/xenc:CipherValue")
    ciphertext = bytearray(base64.b64decode(value.text))
    ciphertext[-1] ^= 1
    value.text = base64.b64encode(ciphertext).decode()
    unwrapped = sealed()
    key = find(unwrapped, "//xenc:EncryptedKey//xenc:CipherValue")
    key.text = base64.b64encode(b"\x01" * 256).decode()
    short = sealed()
    find(short, "//xenc:EncryptedData/xenc:CipherData/xenc:CipherValue").text = "AAAA"
    wrong_length = sealed(bits=128)
    no_xml = sealed(etree.Comment("nothing"))
    no_base64 = sealed()
    find(no_base64, "//xenc:EncryptedKey//xenc:CipherValue").text = "no base64"
    unsigned = sealed(IDP.assertion())
    for_others = sealed(key=rsa_key(1))
    cases = [tampered, unwrapped, no_base64, short, wrong_length, no_xml, unsigned, for_others]
    told = {(type(error), error.message) for error in map(refusal, cases)}
    assert told == {(ResponseUnsigned, ResponseUnsigned.message)}


@pytest.mark.parametrize(
    "how",
    [
        {"cipher": f"{XENC}aes128-cbc", "bits": 128},
        {"cipher": f"{XENC}aes256-cbc"},
        {"cipher": f"{XENC}tripledes-cbc"},
        {"cipher": ""},
        {"transport": f"{XENC}rsa-1_5"},
        {"transport": f"{XENC}kw-aes256"},
        {"transport": OAEP_MGF1P, "mgf": MGF_SHA256},
        {"digest": "http://www.w3.org/2001/04/xmldsig-more#md5"},
        {"mgf": "urn:other", "transport": OAEP},
    ],
    ids=str,
)
def test_what_is_not_on_the_list_is_not_decrypted_sec_088(how):
    assert type(refusal(sealed(**how))) is ResponseUnsigned


@pytest.mark.parametrize(
    "path",
    [
        "//xenc:EncryptedData",
        "//xenc:EncryptedKey",
        "//xenc:CipherValue",
        "//xenc:EncryptionMethod",
        "//xenc:EncryptedKey/xenc:EncryptionMethod",
        "//xenc:EncryptedKey/xenc:CipherData",
    ],
)
def test_a_part_that_is_missing_or_there_twice_is_refused(path):
    gone = sealed()
    found = find(gone, path)
    found.getparent().remove(found)
    refusal(gone)
    if path != "//xenc:EncryptedKey":  # there may be several recipients
        twice = sealed()
        found = find(twice, path)
        found.addnext(etree.fromstring(raw(found)))
        refusal(twice)


def test_an_assertion_inside_is_one_and_no_id_of_it_stands_outside_sec_086():
    refusal(sealed(IDP.sign(IDP.assertion(id="_response-1"))))
    refusal(sealed(IDP.response()))
    plain = sealed()
    plain.append(IDP.sign(IDP.assertion(id="_assertion-2")))
    refusal(plain)
    doubled = IDP.assertion()
    doubled.append(IDP.assertion(id="_assertion-2"))
    refusal(sealed(IDP.sign(doubled)))


@pytest.mark.parametrize(
    "inside", [b"<!DOCTYPE x><x/>", b"<!-- --><x/>", b"<?x y?><x/>", b"x", b""], ids=str
)
def test_what_was_encrypted_is_parsed_as_strictly_sec_087(inside, monkeypatch):
    assertion = IDP.sign(IDP.assertion())
    monkeypatch.setattr("federation.saml.idp.etree.tostring", lambda _: inside)
    tree = encrypted(assertion)
    monkeypatch.undo()
    assert type(refusal(IDP.response(tree))) is ResponseUnsigned


def test_a_label_of_oaep_is_not_taken():
    tree = sealed()
    method = find(tree, "//xenc:EncryptedKey/xenc:EncryptionMethod")
    etree.SubElement(method, tag(XENC, "OAEPparams")).text = "AAAA"
    assert type(refusal(tree)) is ResponseUnsigned


def test_an_encrypted_name_is_none():
    assertion = IDP.assertion()
    name = find(assertion, "//saml:NameID")
    name.tag = tag(SAML, "EncryptedID")
    with pytest.raises(ResponseUnreadable):
        read(raw(IDP.response(IDP.sign(assertion))), IDP.expected())
