"""Metadata: what of a provider's is believed, and when it is asked again."""

import asyncio
import logging
from datetime import timedelta

import pytest
from federation.saml.deployment import begun, config_of, deployed, provider, saml_of
from federation.saml.idp import NOW, Idp, der, rsa_key
from hypothesis import given
from hypothesis import strategies as st

from app import worker
from app.assembly import assemble
from app.federation.errors import ProviderUnreachable
from app.federation.saml.errors import SamlMetadataRefused
from app.federation.saml.metadata import POST, REDIRECT, read
from app.federation.saml.times import moment_of, span_of, written
from app.federation.saml.values import SamlSignIn
from app.persistence import fetch

IDP = Idp()
DOCUMENT = IDP.metadata()
SERVICE = '<md:SingleSignOnService Binding="{}" Location="{}"/>'


def replaced(old, new):
    assert old in DOCUMENT
    return DOCUMENT.replace(old, new).encode()


def refused(document, why=".", **given):
    with pytest.raises(SamlMetadataRefused, match=why):
        read(document, **given)


class TestReading:
    pytestmark = pytest.mark.one_database

    def test_what_matters_is_read(self):
        found = read(DOCUMENT.encode())
        assert (found.entity_id, found.sso_url, found.binding) == (
            IDP.entity_id,
            IDP.sso_url,
            "redirect",
        )
        assert list(found.keys) == [IDP.certificate]
        assert not found.wants_signed_requests
        assert found.valid_until is found.refresh_after is None
        assert found.is_valid(NOW)

    def test_a_redirect_is_preferred_to_a_form(self):
        forms = SERVICE.format(POST, "https://idp.acme.example/form")
        both = replaced("<md:SingleSignOnService", f"{forms}<md:SingleSignOnService")
        assert read(both).binding == "redirect"
        assert read(both.replace(REDIRECT.encode(), b"urn:other")).binding == "post"
        refused(replaced(REDIRECT, "urn:other"), "no sign-on")

    @pytest.mark.parametrize(
        "url",
        [
            "http://idp.acme.example/sso",
            "javascript:alert(1)",
            "https://u:p@idp.acme.example/",
            "https://idp.acme.example/#x",
            "https://idp;acme/",
            "https://",
            "/sso",
            "",
            "https://idp.acme.example/&#10;x",
            f"https://idp.acme.example/{'x' * 2048}",
        ],
    )
    def test_a_sign_on_url_is_https_and_plain(self, url):
        refused(replaced(IDP.sso_url, url), "https")

    def test_development_takes_http(self):
        document = replaced(IDP.sso_url, "http://localhost:8080/sso")
        assert read(document, allows_http=True).sso_url == "http://localhost:8080/sso"

    def test_several_certificates_are_all_pinned_sec_085(self):
        end = "</ds:X509Data>"
        more = f"<ds:X509Certificate>{der(Idp(key=rsa_key(1)).certificate)}</ds:X509Certificate>"
        assert len(read(replaced(end, more + end)).keys) == 2
        broken = "<ds:X509Certificate>AAAA</ds:X509Certificate>"
        assert len(read(replaced(end, broken + end)).keys) == 1

    def test_of_several_providers_one_is_named(self):
        second = Idp(entity_id="https://two.example").metadata()
        inside = DOCUMENT.partition("?>")[2] + second.partition("?>")[2]
        many = f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{inside}'
        both = f"{many}</md:EntitiesDescriptor>".encode()
        refused(both, "more than one")
        assert read(both, "https://two.example").entity_id == "https://two.example"
        refused(both, "no ", entity_id="https://three.example")
        refused(DOCUMENT.encode(), entity_id="https://two.example")

    @pytest.mark.parametrize("name", ["", " x", "google", "custom_corp", "x" * 1025, "a&#7;b"])
    def test_an_entity_id_is_one_that_can_be_told_apart_sec_080(self, name):
        refused(replaced(f'entityID="{IDP.entity_id}"', f'entityID="{name}"'))

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"x",
            b"<x/>",
            replaced("IDPSSODescriptor", "SPSSODescriptor"),
            replaced(
                "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol"
            ),
            replaced('<?xml version="1.0"?>', "<!DOCTYPE x>"),
            replaced('<?xml version="1.0"?>', "<?x y?>"),
            replaced('entityID="', 'validUntil="soon" entityID="'),
            replaced("<ds:X509Certificate>", "<ds:X509SubjectName>").replace(
                b"</ds:X509Certificate>", b"</ds:X509SubjectName>"
            ),
        ],
    )
    def test_what_is_no_metadata_is_refused_sec_087(self, document):
        refused(document)

    def test_the_nearest_end_and_the_shortest_span_count(self):
        given = {"validUntil": "2026-12-01T00:00:00Z", "cacheDuration": "PT6H"}
        found = read(IDP.metadata(**given).encode())
        assert found.valid_until == moment_of("2026-12-01T00:00:00Z")
        assert found.refresh_after == timedelta(hours=6)
        assert not found.is_valid(moment_of("2026-12-01T00:00:00Z"))

    def test_the_end_of_every_group_around_a_provider_counts(self):
        group = "md:EntitiesDescriptor"
        for place in range(3):
            ends = [' validUntil="2026-12-01T00:00:00Z"' if at == place else "" for at in range(3)]
            opened = "".join(f"<{group}{end}>" for end in ends)
            inside = DOCUMENT.partition("?>")[2]
            document = f"{opened}{inside}{f'</{group}>' * 3}".replace(
                "<md:EntitiesDescriptor",
                '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"',
            )
            found = read(document.encode())
            assert found.valid_until == moment_of("2026-12-01T00:00:00Z")


class TestTimes:
    pytestmark = pytest.mark.one_database

    @pytest.mark.parametrize(
        ("text", "hours"), [("PT6H", 6), ("P1D", 24), ("P1DT1H30M", 25.5), ("PT3600.5S", 1)]
    )
    def test_spans(self, text, hours):
        assert span_of(text) == timedelta(hours=hours)

    @pytest.mark.parametrize("text", ["", "P", "PT", "-P1D", "1H", "P1DT", "PT1X", "P\u0661D"])
    def test_what_is_no_span(self, text):
        assert span_of(text) is None

    def test_moments(self):
        at = NOW
        assert moment_of("2026-11-22T12:00:00Z") == at
        assert moment_of("2026-11-22T12:00:00") == at
        assert moment_of("2026-11-22T14:00:00+02:00") == at
        assert moment_of("2026-11-22T12:00:00.123456789Z").microsecond == 123456
        assert moment_of(written(at)) == at
        for text in ("", "2026-11-22", "2026-11-22T25:00:00Z", "x", "2026-11-22T12:00:00z"):
            assert moment_of(text) is None

    @given(st.datetimes(min_value=NOW.replace(tzinfo=None)))
    def test_a_moment_that_was_written_is_read(self, moment):
        assert moment_of(moment.strftime("%Y-%m-%dT%H:%M:%SZ")) is not None

    @given(st.text(max_size=40))
    def test_any_text_is_read_or_is_none(self, text):
        moment_of(text)
        span_of(text)


class Website:
    """Serves metadata over real sockets, and counts who asks."""

    def __init__(self, site):
        self.site, self.document, self.etag, self.status = site, DOCUMENT, '"1"', 200
        self.asked = []

    @property
    def url(self):
        return f"{self.site.url}/metadata"


@pytest.fixture
async def website():
    """A web server on loopback."""

    class Site:
        url = ""

    site = Website(Site())

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        site.asked.append(head)
        fits = f"if-none-match: {site.etag}".lower() in head.lower()
        status = 304 if fits and site.status == 200 else site.status
        body = site.document.encode() if status == 200 else b""
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", f"ETag: {site.etag}"]
        lines += ["Location: http://127.0.0.1/", "Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    site.site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield site
    server.close()


@pytest.fixture
def config(empty, website):
    return config_of(empty, provider(IDP, metadata="", metadata_url=website.url))


async def renewed(services, clock, **span):
    clock.advance(**span)
    await saml_of(services).work()


async def rows():
    return await fetch("SELECT document, etag, fetched_at, refresh_at FROM saml_metadata")


class TestFetching:
    async def test_a_start_needs_no_network_and_the_worker_asks(self, config, clock, website):
        services = await deployed(config, clock)
        assert website.asked == []
        with pytest.raises(ProviderUnreachable):
            await saml_of(services).begin(_wanted())
        await saml_of(services).work()
        assert len(website.asked) == 1
        assert await begun(services)
        await saml_of(services).close()

    async def test_the_worker_of_a_process_asks(self, config, clock, website):
        services = await deployed(config, clock)
        async with asyncio.timeout(20), worker.working(services):
            while not saml_of(services).directory.find(IDP.entity_id):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert len(website.asked) == 1
        await saml_of(services).close()

    async def test_the_first_sign_in_asks_where_nobody_has_yet(self, config, clock, website):
        services = await deployed(config, clock)
        assert await begun(services)
        assert await begun(services)
        assert len(website.asked) == 1
        await saml_of(services).close()

    async def test_another_replica_starts_from_the_copy(self, config, clock, website):
        first = await deployed(config, clock)
        await saml_of(first).work()
        website.status = 500
        second = await deployed(config, clock)
        assert await begun(second)
        await saml_of(second).work()
        assert len(website.asked) == 1
        await saml_of(first).close()

    async def test_what_has_not_changed_is_not_sent_again(self, config, clock, website):
        services = await deployed(config, clock)
        await saml_of(services).work()
        await renewed(services, clock, hours=11)
        assert len(website.asked) == 1
        await renewed(services, clock, hours=1)
        assert 'if-none-match: "1"' in website.asked[1].lower()
        assert (await rows())[0]["fetched_at"] == clock()
        await saml_of(services).close()

    async def test_new_keys_are_taken_over(self, config, clock, website):
        services = await deployed(config, clock)
        await saml_of(services).work()
        website.document, website.etag = Idp(key=rsa_key(1)).metadata(), '"2"'
        await renewed(services, clock, hours=12)
        found = saml_of(services).directory.of_domain("acme.example").metadata
        assert list(found.keys) == [Idp(key=rsa_key(1)).certificate]
        await saml_of(services).close()

    async def test_a_provider_says_how_often_within_limits(self, config, clock, website):
        for span, pause in (("PT6H", 6 * 60), ("PT1S", 10), ("P30D", 12 * 60)):
            await fetch("DELETE FROM saml_metadata")
            website.document = IDP.metadata(cacheDuration=span)
            services = await deployed(config, clock)
            await saml_of(services).work()
            due = (await rows())[0]["refresh_at"]
            assert due == clock() + timedelta(minutes=pause)
            await saml_of(services).close()

    @pytest.mark.parametrize("broken", ["status", "redirect", "document", "size", "entity", "name"])
    async def test_a_refresh_that_fails_keeps_the_last_good_copy_sec_083(
        self, config, clock, website, broken, caplog
    ):
        services = await deployed(config, clock)
        await saml_of(services).work()
        website.etag = '"2"'
        match broken:
            case "status":
                website.status = 500
            case "redirect":
                website.status = 302
            case "document":
                website.document = "<x/>"
            case "size":
                website.document = DOCUMENT + " " * 1024 * 1024
            case "entity":
                website.document = Idp(entity_id="google").metadata()
            case "name":
                website.document = Idp(entity_id="https://other.example").metadata()
        with caplog.at_level(logging.WARNING, "sekisho.federation.saml"):
            await renewed(services, clock, hours=12)
        assert "SAML metadata could not be refreshed" in caplog.text
        assert await begun(services)
        asked = len(website.asked)
        await renewed(services, clock, minutes=4)
        assert len(website.asked) == asked
        website.status, website.document, website.etag = 200, DOCUMENT, '"3"'
        await renewed(services, clock, minutes=2)
        assert (await rows())[0]["etag"] == '"3"'
        await saml_of(services).close()

    async def test_a_copy_that_is_not_valid_any_more_is_not_used(self, config, clock, website):
        website.document = IDP.metadata(validUntil=written(clock() + timedelta(hours=2)))
        services = await deployed(config, clock)
        await saml_of(services).work()
        website.status = 500
        await renewed(services, clock, hours=1, minutes=59)
        assert await begun(services)
        clock.advance(minutes=2)
        with pytest.raises(ProviderUnreachable):
            await saml_of(services).begin(_wanted())
        assert saml_of(services).directory.find(IDP.entity_id) is None
        await saml_of(services).close()

    async def test_one_provider_that_is_away_keeps_no_other_out(self, empty, clock, website):
        away = provider(
            IDP, name="Away", domain="away.example", metadata="", metadata_url="http://127.0.0.1:1/"
        )
        here = provider(IDP, metadata="", metadata_url=website.url)
        services = await deployed(config_of(empty, away, here), clock)
        await saml_of(services).work()
        assert await begun(services)
        with pytest.raises(ProviderUnreachable):
            await saml_of(services).get_ready("away.example")
        await saml_of(services).close()

    async def test_where_there_is_no_copy_yet_it_is_asked_again_soon(self, config, clock, website):
        website.status = 500
        services = await deployed(config, clock)
        for seconds, asked in ((0, 1), (30, 1), (31, 2)):
            clock.advance(seconds=seconds)
            with pytest.raises(ProviderUnreachable):
                await saml_of(services).get_ready("acme.example")
            assert len(website.asked) == asked
        await saml_of(services).close()

    async def test_a_copy_that_does_not_fit_the_settings_is_not_used(
        self, empty, config, clock, website, caplog
    ):
        first = await deployed(config, clock)
        await saml_of(first).work()
        renamed = provider(
            IDP, metadata="", metadata_url=website.url, entity_id="https://two.example"
        )
        with caplog.at_level(logging.WARNING, "sekisho.federation.saml"):
            second = await deployed(config_of(empty, renamed), clock)
        assert "no identity provider with the id https://two.example" in caplog.text
        with pytest.raises(ProviderUnreachable):
            await saml_of(second).get_ready("acme.example")
        await saml_of(first).close()

    async def test_a_private_address_is_not_asked_sec_083(self, empty, clock):
        inside = provider(IDP, metadata="", metadata_url="http://10.0.0.1/metadata")
        services = await deployed(config_of(empty, inside), clock)
        with pytest.raises(ProviderUnreachable):
            await saml_of(services).get_ready("acme.example")
        await saml_of(services).close()

    async def test_two_replicas_ask_once(self, config, clock, website):
        first, second = await deployed(config, clock), await deployed(config, clock)
        await saml_of(first).work()
        await saml_of(second).work()
        assert len(website.asked) == 1
        assert await begun(second)
        await saml_of(first).close()
        await saml_of(second).close()


class TestFiles:
    async def test_a_file_is_read_and_read_again_when_it_changes(self, empty, clock, tmp_path):
        file = tmp_path / "idp.xml"
        file.write_text(DOCUMENT)
        config = config_of(empty, provider(IDP, metadata="", metadata_file=str(file)))
        services = await deployed(config, clock)
        assert await begun(services)
        file.write_text(Idp(key=rsa_key(1)).metadata())
        await saml_of(services).work()
        found = saml_of(services).directory.of_domain("acme.example").metadata
        assert list(found.keys) == [Idp(key=rsa_key(1)).certificate]
        file.unlink()
        await saml_of(services).work()
        assert await begun(services)

    async def test_a_file_that_cannot_be_used_stops_the_start(self, empty, clock, tmp_path):
        file = tmp_path / "idp.xml"
        config = config_of(empty, provider(IDP, metadata="", metadata_file=str(file)))
        for text in (None, "<x/>"):
            if text:
                file.write_text(text)
            with pytest.raises(SamlMetadataRefused, match="Acme AD"):
                await assemble(config, clock=clock).saml.open()


def _wanted():
    return SamlSignIn("acme.example", "", "login")
