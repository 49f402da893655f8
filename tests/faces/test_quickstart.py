"""The quickstart page, and the files of bundled pages."""

import re
from pathlib import Path

import pytest
from faces.clients import Face, exchange
from factories import reconfigured

from app.bundles import Bundle
from app.config.sections import PublicListener, Server
from app.config.values import Secret
from app.keys import encryption_secrets
from app.quickstart import BUNDLE, Quickstart

PAGE = {"accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "page-A1.js").write_text("let a;")
    (tmp_path / "page-B2.css").write_text("a {}")
    (tmp_path / "licences.txt").write_text("MIT")
    (tmp_path / "manifest.json").write_text('{"script": "page-A1.js", "style": "page-B2.css"}')
    (tmp_path / "way-out.js").symlink_to(Path(__file__))
    return Bundle(tmp_path, "/page/assets/", "default-src 'none'")


@pytest.fixture
async def production(services):
    """The services of a deployment that is in earnest."""
    secrets = [Secret(secret) for secret in encryption_secrets(services.config)]
    public = PublicListener(url="https://auth.example.com")
    server = Server(public=public, allowed_hosts=["localhost"])
    return await reconfigured(
        services, environment="production", secret_keys=secrets, server=server
    )


class TestPage:
    async def test_a_browser_gets_it_under_a_policy_without_foreign_hosts_sec_103(self, public):
        answer = await public.get("/quickstart", headers=PAGE)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"https?:|\*|unsafe", policy)
        assert set(re.findall(r"https?://[^/]+", answer.text)) <= {"http://localhost:8001"}

    async def test_every_answer_has_a_nonce_of_its_own(self, public):
        nonces = set()
        for _ in range(2):
            answer = await public.get("/quickstart")
            nonces.add(re.search(r"'nonce-([\w-]{22})'", answer.headers["content-security-policy"]))
        assert len({nonce[1] for nonce in nonces}) == 2

    async def test_production_has_none_sec_096(self, production):
        for name in ("public", "admin"):
            face = Face(production, name)
            assert (await face.get("/quickstart", headers=PAGE)).status_code == 404
            for asset in ("x.js", *(path.name for path in BUNDLE.folder.glob("*.js"))):
                assert (await face.get(f"{BUNDLE.path}{asset}")).status_code == 404

    def test_passkeys_work_on_it_in_development_alone(self, services, production):
        configured = services.config.webauthn.relying_party.origins
        own = services.config.server.public.url
        assert services.config.relying_party_origins == [*configured, own]
        assert production.config.relying_party_origins == configured

    async def test_the_admin_listener_has_none(self, services):
        assert (await Face(services, "admin").get("/quickstart")).status_code == 404

    @pytest.mark.parametrize("name", ["nothing.js", "..", "../page.py", "manifest.json", ""])
    async def test_no_other_file_is_handed_out(self, public, name):
        answer = await exchange(public, "GET", f"/quickstart/assets/{name}")
        assert answer.status == 404

    def test_it_names_its_files_and_bears_the_nonce(self, bundle):
        page = (
            Quickstart("Ada & Co", "http://localhost:8001/mailbox", bundle).page("n0nce").decode()
        )
        assert "<title>Quickstart · Ada &amp; Co</title>" in page
        assert 'src="/page/assets/page-A1.js"' in page
        assert 'href="/page/assets/page-B2.css"' in page
        assert 'href="http://localhost:8001/mailbox"' in page
        assert page.count('nonce="n0nce"') == 2

    def test_where_mail_is_sent_it_names_no_mailbox(self, bundle):
        assert "ailbox" not in Quickstart("Sekisho", None, bundle).page("n0nce").decode()

    async def test_where_mail_is_sent_the_listener_says_so(self, services):
        delivery = services.config.email_delivery
        smtp = type(delivery.smtp)(host="smtp.example.com")
        sending = await reconfigured(services, email_delivery=type(delivery)(smtp=smtp))
        assert "/mailbox" not in (await Face(sending).get("/quickstart")).text

    def test_what_is_not_built_says_how_to_build_it(self, tmp_path):
        empty = Bundle(tmp_path, "/page/assets/", "")
        assert b"make quickstart" in Quickstart("Sekisho", None, empty).page("n0nce")


class TestBundle:
    def test_a_file_is_found_with_its_media_type(self, bundle):
        assert bundle.asset("page-A1.js") == (b"let a;", "text/javascript; charset=utf-8")
        assert bundle.asset("page-B2.css") == (b"a {}", "text/css; charset=utf-8")

    @pytest.mark.parametrize(
        "name", ["manifest.json", "licences.txt", "way-out.js", "page-A1", "../page-A1.js", ""]
    )
    def test_nothing_else_is(self, bundle, name):
        assert bundle.asset(name) is None

    def test_a_page_that_lacks_a_file_is_not_built(self, bundle):
        (bundle.folder / "page-B2.css").unlink()
        assert bundle.urls() is None
