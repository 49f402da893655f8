"""Whose entity id is whose: no provider gets at another's people by taking its name (SEC-092)."""

import os
from uuid import uuid4

import pytest
from federation.saml.deployment import (
    answered,
    begun,
    config_of,
    deployed,
    pending_request,
    provider,
    round_trip,
    saml_of,
)
from federation.saml.idp import Idp, rsa_key

from app.access import SYSTEM
from app.federation.errors import ProviderUnreachable
from app.federation.exchange import Redemption
from app.federation.pkce import challenge_of
from app.federation.saml.times import written
from app.persistence import fetch

OWN = "https://idp.evil.example"
VERIFIER = "v" * 64


@pytest.fixture
def deploy(empty, clock):
    """A function that starts anew with these providers in the settings."""
    return lambda *providers: deployed(config_of(empty, *providers), clock)


@pytest.fixture
def evil(idp, clock):
    """A provider that calls itself as Acme's does."""
    return Idp(key=rsa_key(1), entity_id=idp.entity_id, now=clock())


def evils(idp, **given):
    """Its entry in the settings."""
    told = {"name": "Evil", "domain": "evil.example", "allow_idp_initiated": True, **given}
    return provider(idp, **told)


@pytest.fixture
def file(tmp_path):
    """The file with Evil's metadata, under its own name so far."""
    made = tmp_path / "evil.xml"
    made.write_text(Idp(key=rsa_key(1), entity_id=OWN).metadata())
    return made


@pytest.fixture
async def acme(services, idp):
    """Somebody who has signed in at Acme."""
    return await signed_in(services, idp)


async def signed_in(services, idp):
    """Sign in at a provider, and give whose account it is."""
    _, secret, relay_state = await begun(services, code_challenge=challenge_of(VERIFIER))
    request_id = await pending_request(services, relay_state, secret)
    given = {"id": f"_{uuid4().hex}", "in_response_to": request_id}
    assertion = idp.sign(idp.assertion(**given))
    tree = idp.response(assertion, id=f"_{uuid4().hex}", in_response_to=request_id)
    back = await answered(services, tree, relay_state, secret)
    wanted = Redemption("token_exchange", code_verifier=VERIFIER)
    return (await services.federation.redeem(SYSTEM, back["hanko_token"], wanted)).user_id


async def cannot_sign_in(services, evil):
    """See that Evil completes nothing: not by a start, and not in a sign-in of another's."""
    with pytest.raises(ProviderUnreachable):
        await begun(services, domain="evil.example")
    told = {"in_response_to": None}
    back = await answered(services, evil.response(evil.sign(evil.assertion(**told)), **told))
    assert "hanko_token" not in back
    assert "error" in back


async def held():
    """Give the domain of the provider that has each entity id."""
    rows = await fetch("SELECT entity_id, domain FROM saml_entity ORDER BY entity_id")
    return {row["entity_id"]: row["domain"] for row in rows}


async def test_of_two_that_are_there_the_earlier_goes_on_sec_092(deploy, idp, evil, acme, caplog):
    for both in ((provider(idp), evils(evil)), (evils(evil), provider(idp))):
        services = await deploy(*both)
        assert await signed_in(services, idp) == acme
        await cannot_sign_in(services, evil)
        _, secret, relay_state = await begun(services)
        told = {"in_response_to": await pending_request(services, relay_state, secret)}
        tree = evil.response(evil.sign(evil.assertion(**told)), **told)
        assert "error" in await answered(services, tree, relay_state, secret)
    assert f"'Evil': the entity id {idp.entity_id} is that of 'Acme AD'" in caplog.text


async def test_not_even_the_settings_give_two_one_name_sec_092(deploy, idp, evil, acme):
    both = (evils(evil, entity_id=idp.entity_id), provider(idp))
    services = await deploy(*both)
    assert await signed_in(services, idp) == acme
    await cannot_sign_in(services, evil)


async def test_a_name_that_the_settings_give_to_another_is_not_free_sec_092(deploy, idp, evil):
    both = (evils(evil), provider(idp, entity_id=idp.entity_id))
    services = await deploy(*both)
    assert await signed_in(services, idp)
    await cannot_sign_in(services, evil)


async def test_an_expired_provider_keeps_its_name_sec_092(deploy, clock, idp, evil, acme):
    expired = idp.metadata(validUntil=written(clock()))
    both = (provider(idp, metadata=expired), evils(evil))
    services = await deploy(*both)
    await cannot_sign_in(services, evil)
    with pytest.raises(ProviderUnreachable):
        await begun(services)
    assert await held() == {idp.entity_id: "acme.example"}


async def test_the_name_of_one_that_is_gone_is_the_operator_s_to_give_sec_092(
    deploy, idp, evil, acme, caplog
):
    services = await deploy(evils(evil))
    await cannot_sign_in(services, evil)
    assert "the entity id was that of the provider of acme.example" in caplog.text
    given = evils(evil, entity_id=idp.entity_id)
    services = await deploy(given)
    assert await begun(services, domain="evil.example")
    assert await held() == {idp.entity_id: "evil.example"}


async def test_a_name_that_has_identities_and_no_holder_is_the_operator_s_to_give_sec_092(
    deploy, idp, acme, caplog
):
    await fetch("DELETE FROM saml_entity")
    services = await deploy(provider(idp))
    with pytest.raises(ProviderUnreachable):
        await begun(services)
    assert "there are identities of this entity id already" in caplog.text
    pinned = provider(idp, entity_id=idp.entity_id)
    services = await deploy(pinned)
    assert await signed_in(services, idp) == acme


async def test_a_provider_that_renames_itself_goes_on_under_its_name_sec_092(
    deploy, evil, acme, file, caplog
):
    entry = evils(evil, metadata="", metadata_file=str(file))
    services = await deploy(entry)
    for renamed in (evil, Idp(key=rsa_key(1), entity_id="https://new.example")):
        written_anew(file, renamed.metadata())
        await saml_of(services).work()
        assert caplog.text.count("'Evil': the entity id") == 1
        caplog.clear()
        found = saml_of(services).directory.of_domain("evil.example").metadata
        assert found.entity_id == OWN
    later = await deploy(entry)
    with pytest.raises(ProviderUnreachable):
        await begun(later, domain="evil.example")


async def test_a_new_name_is_taken_from_the_settings_and_the_old_one_stays_taken_sec_092(
    deploy, clock, idp, evil, acme
):
    new = Idp(entity_id="https://new.example", now=clock())
    clock.advance(minutes=1)
    assert await begun(await deploy(provider(new, entity_id=new.entity_id)))
    assert await begun(await deploy(provider(new)))
    back = await deploy(provider(idp))
    with pytest.raises(ProviderUnreachable):
        await begun(back)
    assert await held() == {idp.entity_id: "acme.example", new.entity_id: "acme.example"}
    both = await deploy(provider(new), evils(evil))
    await cannot_sign_in(both, evil)


async def test_a_provider_is_known_by_any_of_its_domains(deploy, idp, acme):
    moved = provider(idp, domain="acme.test", domains=["acme.example"])
    services = await deploy(moved)
    assert await signed_in(services, idp) == acme


async def test_two_of_one_name_in_one_process_are_none_sec_092(deploy, clock, idp, evil, file):
    """A replica with newer settings may have given the name away meanwhile."""
    entry = {"metadata": "", "metadata_file": str(file)}
    old = await deploy(provider(idp), evils(evil, **entry))
    written_anew(file, evil.metadata())
    clock.advance(minutes=1)
    await deploy(evils(evil, entity_id=idp.entity_id, **entry))
    await saml_of(old).work()
    directory = saml_of(old).directory
    assert directory.find(idp.entity_id) is None
    assert not directory.speaks_for(idp.entity_id, "a@acme.example")
    assert "hanko_token" not in await round_trip(old, idp)


def written_anew(file, text):
    """Write a file so that its time shows it."""
    before = file.stat().st_mtime
    file.write_text(text)
    os.utime(file, (before + 10, before + 10))
