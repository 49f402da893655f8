"""Our own certificates: made, sealed, renewed ahead of their end, on both databases."""

import asyncio

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from federation.saml.deployment import config_of, deployed, provider, saml_of
from federation.saml.idp import rsa_key
from lxml import etree

from app.access import SYSTEM
from app.federation.saml import certificates
from app.federation.saml.certificates import BITS
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch


@pytest.fixture
def keys(monkeypatch):
    """Another key pair for each certificate."""
    numbers = iter(range(5, 9))
    monkeypatch.setattr(certificates, "new_key", lambda: rsa_key(next(numbers)))


async def rows():
    return await fetch(
        "SELECT id, certificate, sealed_key FROM saml_certificate ORDER BY created_at"
    )


def certs_of(services):
    return saml_of(services).certificates


@pytest.mark.one_database
def test_a_key_has_3072_bits(monkeypatch):
    monkeypatch.undo()
    made = []
    monkeypatch.setattr(rsa, "generate_private_key", lambda *given: made.append(given))
    certificates.new_key()
    assert made == [(65537, BITS)] == [(65537, 3072)]


async def test_a_start_makes_one_certificate_and_keeps_it(services, empty, clock, idp):
    first = await rows()
    assert len(first) == 1
    again = await deployed(config_of(empty, provider(idp)), clock)
    assert await rows() == first
    own = await saml_of(again).own_certificates()
    assert own[0].certificate == x509.load_pem_x509_certificate(first[0]["certificate"].encode())
    assert (own[0].expires_at - clock()).days in (729, 730)  # it has whole seconds


async def test_two_starts_at_once_make_one(empty, clock, idp):
    config = config_of(empty, provider(idp))
    await asyncio.gather(*(deployed(config, clock) for _ in range(3)))
    assert len(await rows()) == 1


async def test_a_private_key_is_stored_sealed_for_its_row_sec_119(services):
    row = (await rows())[0]
    assert "PRIVATE" not in row["sealed_key"]
    sealer = certs_of(services).sealer
    assert "PRIVATE KEY" in sealer.open(row["sealed_key"], f"saml_certificate/{row['id']}")
    with pytest.raises(KeysUnreadable):
        sealer.open(row["sealed_key"], "saml_certificate/other")
    assert "PrivateKey" not in repr((await saml_of(services).own_certificates())[0])


async def test_without_the_secret_the_server_does_not_start_sec_119(services, empty, clock, idp):
    other = await deployed(config_of(empty, provider(idp)), clock)
    object.__setattr__(certs_of(other), "sealer", Sealer(["another secret of some length"]))
    certs_of(other)._opened.clear()
    with pytest.raises(KeysUnreadable):
        await saml_of(other).open()


async def test_an_older_secret_s_key_is_sealed_anew(services):
    certs, before = certs_of(services), (await rows())[0]
    old, new = "the older secret of all", "the newer secret of all"
    place = f"saml_certificate/{before['id']}"
    plain = certs.sealer.open(before["sealed_key"], place)
    sealed = Sealer([old]).seal(plain, place)
    await fetch("UPDATE saml_certificate SET sealed_key = $1", sealed)
    object.__setattr__(certs, "sealer", Sealer([new, old]))
    await certs.reseal()
    assert Sealer([new]).open((await rows())[0]["sealed_key"], place) == plain


async def test_the_next_certificate_is_published_before_it_signs(keys, empty, clock, idp):
    services = await deployed(config_of(empty, provider(idp)), clock)
    certs = certs_of(services)
    first = (await certs.signer()).certificate
    clock.advance(days=730 - 61)
    assert not await certs.keep_ready(SYSTEM)
    clock.advance(days=2)
    assert await certs.keep_ready(SYSTEM)
    assert not await certs.keep_ready(SYSTEM)
    published = etree.fromstring(await saml_of(services).metadata("acme.example"))
    assert len(published.xpath("//*[@use='signing']")) == 2
    assert len(published.xpath("//*[@use='encryption']")) == 2
    assert (await certs.signer()).certificate == first
    assert (await saml_of(services).own_certificates())[0].certificate == first
    clock.advance(days=31)
    assert (await certs.signer()).certificate != first
    assert (await saml_of(services).own_certificates())[0].certificate != first
    assert first in [one.certificate for one in await certs.all()]
    clock.advance(days=29)
    assert len(await certs.all()) == 1
    await saml_of(services).work()
    assert len(await rows()) == 1


async def test_a_certificate_is_renewed_when_somebody_says_so(keys, empty, clock, idp):
    services = await deployed(config_of(empty, provider(idp)), clock)
    certs = certs_of(services)
    first = (await certs.signer()).certificate
    made = await certs.renew(SYSTEM, at_once=False)
    assert (await certs.signer()).certificate == first
    assert (made.active_from - clock()).days == 30
    clock.advance(seconds=1)
    urgent = await certs.renew(SYSTEM, at_once=True)
    assert (await certs.signer()).certificate == urgent.certificate
    kinds = [row["type"] for row in await fetch("SELECT type FROM audit_event")]
    assert kinds.count("saml_certificate_created") == 3


async def test_without_a_certificate_nothing_is_signed(services):
    await fetch("DELETE FROM saml_certificate")
    with pytest.raises(KeysUnreadable):
        await certs_of(services).signer()
