"""Which web pages may call: CORS (SEC-101), and cookies that travel from other sites (SEC-107)."""

import itertools

import pytest
from faces.clients import Face, exchange
from factories import make_session, make_user, reconfigured

from app.config.sections import Cors, PublicListener, Server, Session

pytestmark = pytest.mark.one_database

ALLOWED = ["https://app.example.com", "https://*.apps.example.com", "http://localhost:3000"]
GOOD = [
    "https://app.example.com",
    "https://a.apps.example.com",
    "https://a-1.apps.example.com",
    "http://localhost:3000",
]
BAD = [
    "null",
    "",
    "*",
    "https://app.example.com.evil.example",
    "https://app.example.comevil.example",
    "https://evil-app.example.com",
    "https://xapp.example.com",
    "https://example.com",
    "https://evil.example/https://app.example.com",
    "https://evil.example?https://app.example.com",
    "https://evil.example#https://app.example.com",
    "https://user@app.example.com",
    "https://app.example.com@evil.example",
    "http://app.example.com",
    "HTTPS://app.example.com",
    "https://APP.example.com",
    "https://App.Example.Com",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://app.example.com.",
    "https://app.example.com/",
    " https://app.example.com",
    "https://app.example.com https://evil.example",
    "https://app.example.com,https://evil.example",
    "https://appXexample.com",
    "https://app-example.com",
    "https://appxexamplexcom",
    "https://apps.example.com",
    "https://.apps.example.com",
    "https://a.b.apps.example.com",
    "https://-.apps.example.com",
    "https://a-.apps.example.com",
    "https://-a.apps.example.com",
    "https://a_b.apps.example.com",
    "https://A.apps.example.com",
    "https://*.apps.example.com",
    "https://a.appsXexample.com",
    "https://a.apps.example.com:8443",
    "https://a.apps.example.com.evil.example",
    "http://a.apps.example.com",
    "https://evil.example/.apps.example.com",
    "https://" + "a" * 64 + ".apps.example.com",
    "http://localhost",
    "http://localhost:30000",
    "http://localhost:3001",
    "https://localhost:3000",
    "http://127.0.0.1:3000",
    "localhost:3000",
    "file://",
    "chrome-extension://abcdefgh",
]
CREDENTIALED = {
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
}
PATHS = [("POST", "/graphql"), ("GET", "/me"), ("GET", "/.well-known/jwks.json")]
PATHS += [("GET", "/nowhere"), ("PUT", "/me"), ("POST", "/logout"), ("GET", "/health/alive")]


@pytest.fixture
async def listed(services):
    return await reconfigured(services, cors=Cors(allow_origins=ALLOWED))


@pytest.fixture
def face(listed):
    return Face(listed)


async def cors_of(face, method, path, origin, *more):
    given = [(b"origin", origin.encode("latin-1")), *more]
    answer = await exchange(face, method, path, given, [b"{}"])
    names = [name.decode() for name, _ in answer.headers]
    found = {k.decode(): v.decode() for k, v in answer.headers}
    assert names.count("access-control-allow-origin") <= 1
    assert "Origin" in ", ".join(v.decode() for k, v in answer.headers if k == b"vary")
    return answer, {k: v for k, v in found.items() if k in CREDENTIALED}


ASKING = (b"access-control-request-method", b"POST")
WANTING = (b"access-control-request-headers", b"content-type, x-language")


class TestOrigins:
    """SEC-101"""

    async def test_a_listed_origin_may_call_with_credentials(self, face):
        for origin, (method, path) in itertools.product(GOOD, PATHS):
            _, found = await cors_of(face, method, path, origin)
            assert found["access-control-allow-origin"] == origin
            assert found["access-control-allow-credentials"] == "true"
            exposed = found["access-control-expose-headers"].split(", ")
            assert exposed == [
                "Retry-After",
                "X-RateLimit-Limit",
                "X-RateLimit-Remaining",
                "X-RateLimit-Reset",
                "X-Session-Lifetime",
                "X-Session-Retention",
            ]

    @pytest.mark.parametrize("origin", GOOD[:2])
    async def test_a_listed_origin_may_ask_beforehand(self, face, origin):
        answer, found = await cors_of(face, "OPTIONS", "/graphql", origin, ASKING, WANTING)
        assert (answer.status, answer.body) == (204, b"")
        assert found["access-control-allow-origin"] == origin
        assert found["access-control-allow-credentials"] == "true"
        assert found["access-control-allow-methods"] == "GET,POST,PUT,PATCH,DELETE,OPTIONS"
        assert found["access-control-allow-headers"] == "content-type, x-language"
        assert found["access-control-max-age"] == "7200"
        varies = ", ".join(v.decode() for k, v in answer.headers if k == b"vary")
        assert "Access-Control-Request-Method" in varies
        assert "Access-Control-Request-Headers" in varies

    async def test_no_other_origin_may(self, face):
        for origin, (method, path) in itertools.product(BAD, PATHS):
            answer, found = await cors_of(face, method, path, origin)
            assert found == {}, origin
            assert answer.status != 403
        for origin in BAD:
            answer, found = await cors_of(face, "OPTIONS", "/graphql", origin, ASKING, WANTING)
            assert (answer.status, found) == (204, {})

    async def test_options_without_an_origin_is_204_and_allows_nothing(self, face):
        answer = await exchange(face, "OPTIONS", "/graphql", [ASKING])
        assert answer.status == 204
        assert not {k.decode() for k, _ in answer.headers} & CREDENTIALED

    async def test_two_origins_are_refused(self, face):
        twice = [(b"origin", GOOD[0].encode()), (b"origin", b"https://evil.example")]
        answer = await exchange(face, "GET", "/me", twice)
        assert answer.status == 400
        assert b"access-control-allow-credentials" not in {k for k, _ in answer.headers} or (
            b"evil" not in str(answer.headers).encode()
        )

    async def test_the_admin_listener_knows_no_origins(self, listed):
        """SEC-108"""
        admin = Face(listed, "admin")
        for origin in (*GOOD, "null"):
            for method, path in (*PATHS, ("OPTIONS", "/graphql")):
                answer = await exchange(
                    admin, method, path, [(b"origin", origin.encode()), ASKING, WANTING], [b"{}"]
                )
                assert not {k.decode() for k, _ in answer.headers} & CREDENTIALED

    async def test_the_token_header_is_shown_where_it_is_in_use(self, services):
        """SEC-031"""
        session = Session(enable_auth_token_header=True)
        cors = Cors(allow_origins=ALLOWED)
        face = Face(await reconfigured(services, cors=cors, session=session))
        _, found = await cors_of(face, "GET", "/me", GOOD[0])
        assert "X-Auth-Token" in found["access-control-expose-headers"]

    async def test_the_unsafe_star_never_goes_with_credentials(self, services):
        cors = Cors(allow_origins=["*", GOOD[0]], unsafe_wildcard_origin_allowed=True)
        face = Face(await reconfigured(services, cors=cors))
        for origin in ("https://evil.example", "null"):
            for method, path in (*PATHS, ("OPTIONS", "/graphql")):
                _, found = await cors_of(face, method, path, origin, ASKING)
                assert found["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in found
        _, found = await cors_of(face, "GET", "/me", GOOD[0])
        assert found["access-control-allow-origin"] == GOOD[0]
        assert found["access-control-allow-credentials"] == "true"

    async def test_without_a_list_nobody_may_in_production_and_the_star_is_not_meant(
        self, services
    ):
        """SEC-101: an empty list is no wildcard."""
        face = Face(await reconfigured(services, cors=Cors(allow_origins=[])))
        for origin in ("https://evil.example", "null", "*"):
            _, found = await cors_of(face, "GET", "/me", origin)
            assert found == {}


OWN = "http://localhost:8000"
MATRIX = [
    (None, None, True),
    (OWN, None, True),
    (GOOD[0], None, True),
    (GOOD[1], None, True),
    ("https://evil.example", None, False),
    ("null", None, False),
    ("", None, False),
    ("http://localhost:8000.evil.example", None, False),
    ("http://localhost:80001", None, False),
    ("http://evil.example/localhost:8000", None, False),
    ("ftp://localhost:8000", None, False),
    ("ftp://localhost:8000", "cross-site", False),
    (None, "same-origin", True),
    (None, "same-site", True),
    (None, "none", True),
    (None, "cross-site", False),
    (None, "CROSS-SITE", False),
    (None, "", False),
    (None, "nonsense", False),
    (OWN, "same-origin", True),
    ("null", "same-origin", True),
    ("https://sister.example", "same-site", True),
    (GOOD[0], "cross-site", True),
    ("https://evil.example", "cross-site", False),
    ("null", "cross-site", False),
    ("https://A.apps.example.com", "cross-site", False),
]


class TestCookiesFromOtherSites:
    """SEC-107"""

    def browser(self, origin, site):
        given = {}
        if origin is not None:
            given["origin"] = origin
        if site is not None:
            given["sec-fetch-site"] = site
        return given

    async def test_a_cookie_changes_something_from_our_own_pages_alone(self, services, face):
        document = "mutation { updateMe(input: {unsafeMetadata: {x: 1}}) { user { id } } }"
        for origin, site, may in MATRIX:
            user = await make_user(services)
            headers = self.browser(origin, site)
            token = (await make_session(services, user)).token
            answer = await face.ask(document, cookie=token, headers=headers)
            assert answer.status_code == (200 if may else 403), headers
            if not may:
                assert answer.json()["error"]["code"] == "cross_site"
            assert (await services.metadata.of([user.id]))[user.id].version == int(may)
            answer = await face.post("/logout", cookie=token, headers=headers)
            assert answer.status_code == (204 if may else 403), headers
            assert (await face.get("/me", token=token)).status_code == (401 if may else 200)

    async def test_a_bearer_token_is_nothing_a_browser_sends_by_itself(self, services, face, key):
        user = await make_user(services)
        token = (await make_session(services, user)).token
        path = f"/api/server/v1/users/{user.id}/metadata"
        for origin, site, _ in MATRIX:
            headers = self.browser(origin, site)
            answer = await face.ask("{ me { id } }", token=token, headers=headers)
            assert answer.json()["data"]["me"] is not None
            answer = await face.patch(path, {"publicMetadata": {}}, key=key, headers=headers)
            assert answer.status_code == 200


async def test_a_plain_page_of_the_same_host_is_another_site(services):
    """SEC-107: who can write into plain HTTP is not us."""
    url = PublicListener(url="https://auth.example.com")
    server = Server(public=url, allowed_hosts=["localhost"])
    face = Face(await reconfigured(services, server=server))
    token = (await make_session(services, await make_user(services))).token
    for origin, status in (("https://localhost:8000", 200), ("http://localhost:8000", 403)):
        answer = await face.ask("{ me { id } }", cookie=token, headers={"origin": origin})
        assert answer.status_code == status


async def test_any_cookie_at_all_makes_a_cross_site_change_suspect(face):
    """SEC-107"""
    answer = await face.ask(
        "{ me { id } }", headers={"cookie": "other=1", "origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_a_simple_content_type_does_nothing_even_from_our_own_pages(services, face):
    """SEC-107, SEC-094"""
    user = await make_user(services)
    token = (await make_session(services, user)).token
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await face.post(
            "/graphql",
            {"query": "mutation { signOut { deletedId } }"},
            cookie=token,
            headers={"content-type": media, "sec-fetch-site": "same-origin"},
        )
        assert answer.status_code == 415
    assert (await face.get("/me", token=token)).status_code == 200


async def test_our_own_origin_is_the_public_url_s(services):
    """SEC-107: behind a proxy the page's origin is not what the Host header says."""
    url = PublicListener(url="https://auth.example.com")
    server = Server(public=url, allowed_hosts=["localhost"])
    face = Face(await reconfigured(services, server=server))
    token = (await make_session(services, await make_user(services))).token
    for origin, status in (("https://auth.example.com", 200), ("https://example.com", 403)):
        answer = await face.ask("{ me { id } }", cookie=token, headers={"origin": origin})
        assert answer.status_code == status
