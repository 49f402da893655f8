"""The gate before every face: hosts, headers, methods, bodies, request ids, client addresses."""

import io
import itertools
import json
import re
from types import SimpleNamespace

import pytest
from faces.clients import Face, exchange
from factories import TABLES, make_session, make_user, reconfigured

from app.config.sections import ClientAddress, Log, PublicListener, Server
from app.config.values import Secret
from app.errors import NotFound, Unavailable
from app.http import Gate, Listener
from app.http.body import MAX_BODY
from app.keys import KeysUnreadable, encryption_secrets
from app.logs import RequestLog
from app.metrics import Metrics
from app.persistence import fetch

pytestmark = pytest.mark.one_database

ASK = b'{"query": "{ me { id } }"}'
JSON = (b"content-type", b"application/json")
EVERYWHERE = [
    ("GET", "/graphql"),
    ("POST", "/graphql"),
    ("GET", "/me"),
    ("GET", "/users/x"),
    ("POST", "/logout"),
    ("GET", "/sessions/validate"),
    ("POST", "/sessions/validate"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/health/alive"),
    ("GET", "/health/ready"),
    ("POST", "/api/server/v1/users"),
    ("GET", "/api/server/v1/users/x"),
    ("PATCH", "/api/server/v1/users/x/metadata"),
    ("GET", "/users/x/metadata"),
    ("PATCH", "/users/x/metadata"),
    ("GET", "/schema/openapi.json"),
    ("GET", "/graphql/assets/x.js"),
    ("GET", "/nowhere"),
    ("DELETE", "/me"),
    ("TRACE", "/me"),
    ("OPTIONS", "/me"),
]


OWN_NAMES = [
    "localhost:8000",
    "localhost",
    "LocalHost:8001",
    "127.0.0.1",
    "127.0.0.1:8000",
    "[::1]",
    "[::1]:8000",
]
OTHER_HOSTS = [
    None,
    "",
    " ",
    "evil.example",
    "localhost.evil.example",
    "evil.example.localhost",
    "xlocalhost",
    "localhostx",
    "localhost.",
    "localhost:",
    "localhost:8000:8000",
    "localhost:999999",
    "localhost:80a",
    "localhost:-1",
    " localhost",
    "localhost ",
    "localhost\t",
    "user@localhost",
    "user:pass@localhost:8000",
    "localhost/",
    "localhost/evil",
    "localhost?x",
    "localhost#x",
    "http://localhost",
    "localhost,evil.example",
    "localhost evil.example",
    "127.1",
    "127.0.0.1.",
    "0177.0.0.1",
    "2130706433",
    "[::1",
    "::1",
    "[::1%25lo]",
    "[0:0:0:0:0:0:0:1]",
    "local\u0445ost",
    "localho\u017ft",
    "*",
    ".",
    "x" * 300,
]


@pytest.fixture(params=["public", "admin"])
def face(request, services):
    return request.getfixturevalue(request.param)


def https(services, **server):
    """The sections of a deployment in production behind TLS."""
    secrets = [Secret(secret) for secret in encryption_secrets(services.config)]
    url = PublicListener(url="https://auth.example.com")
    return {
        "environment": "production",
        "secret_keys": secrets,
        "server": Server(public=url, **server),
    }


def headers_of(answer):
    return {name.decode(): value.decode() for name, value in answer.headers}


async def ask(face, headers=(), **given):
    """Ask what both listeners answer anyone who names them."""
    return await exchange(face, "POST", "/graphql", [JSON, *headers], [ASK], **given)


class TestHosts:
    """SEC-102"""

    async def test_its_own_names_are_answered(self, face):
        for host in OWN_NAMES:
            answer = await ask(face, host=host.encode())
            assert answer.status == 200, host

    async def test_any_other_host_is_refused(self, face):
        for host in OTHER_HOSTS:
            raw = None if host is None else host.encode()
            answer = await ask(face, host=raw)
            assert answer.status == 400, host
            assert json.loads(answer.body)["error"]["code"] == "bad_request"
            assert headers_of(answer)["connection"] == "close"

    async def test_two_hosts_are_refused_even_where_they_agree(self, face):
        for second in (b"localhost:8000", b"evil.example"):
            answer = await ask(face, [(b"host", second)])
            assert answer.status == 400

    @pytest.mark.parametrize("name", ["x-forwarded-host", "forwarded", "x-host", "x-original-host"])
    async def test_no_other_header_speaks_for_the_host(self, face, name):
        value = b"host=evil.example" if name == "forwarded" else b"evil.example"
        answer = await ask(face, [(name.encode(), value)])
        assert answer.status == 200
        assert b"evil" not in answer.body + str(answer.headers).encode()
        answer = await ask(
            face,
            [(name.encode(), b"localhost:8000")],
            host=b"evil.example",
        )
        assert answer.status == 400

    async def test_production_knows_its_public_name_and_those_it_is_told(self, services):
        others = await reconfigured(services, **https(services, allowed_hosts=["a.example:81"]))
        for name in ("public", "admin"):
            face = Face(others, name)
            for host, status in (
                (b"auth.example.com", 200),
                (b"AUTH.example.com:443", 200),
                (b"a.example:81", 200),
                (b"a.example", 400),
                (b"a.example:82", 400),
                (b"localhost:8000", 400),
                (b"127.0.0.1", 400),
                (b"authXexample.com", 400),
                (b"auth.example.com.evil.example", 400),
            ):
                answer = await ask(face, host=host)
                assert answer.status == status, host

    async def test_health_and_metrics_are_asked_for_by_any_host(self, services):
        """A kubelet and a Prometheus ask a replica by its own address."""
        others = await reconfigured(services, **https(services))
        told = {
            "public": ["/health/alive", "/health/ready"],
            "admin": ["/health/alive", "/health/ready", "/metrics"],
        }
        for name, paths in told.items():
            face = Face(others, name)
            for path in paths:
                for host in (b"10.1.2.3:8001", b"sekisho-7d9:8000", b"evil.example", b"", None):
                    answer = await exchange(face, "GET", path, host=host)
                    assert answer.status == 200, (path, host)
                    assert b"evil" not in answer.body + str(answer.headers).encode()
                again = [(b"host", b"10.1.2.3:8001")]
                assert (await exchange(face, "GET", path, again)).status == 400
            for path in ("/metrics/", "/health/", "/health/alive/x", "//metrics", "/METRICS"):
                answer = await exchange(face, "GET", path, host=b"10.1.2.3:8001")
                assert answer.status == 400, path
        answer = await exchange(Face(others), "GET", "/metrics", host=b"10.1.2.3:8001")
        assert answer.status == 400


class TestRepeatedHeaders:
    @pytest.mark.parametrize(
        "name", ["host", "authorization", "content-type", "content-length", "origin"]
    )
    async def test_what_stands_once_is_refused_twice(self, face, name):
        """SEC-102, SEC-109"""
        given = [] if name == "host" else [(name.encode(), b"1")]
        answer = await exchange(face, "POST", "/graphql", [*given, (name.encode(), b"1")], [ASK])
        assert answer.status == 400
        assert answer.received == 0

    async def test_others_may_repeat(self, face):
        twice = [(b"accept", b"*/*"), (b"accept", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"2")]
        assert (await exchange(face, "GET", "/health/alive", twice)).status == 200


class TestHeaders:
    """SEC-103"""

    async def test_every_answer_carries_the_headers_of_the_house(self, face):
        kinds = ((), [JSON], [(b"accept", b"text/html")])
        for (method, path), headers in itertools.product(EVERYWHERE, kinds):
            answer = await exchange(face, method, path, headers, [b"x"])
            found = headers_of(answer)
            assert found["x-content-type-options"] == "nosniff"
            policy = found["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert found["referrer-policy"] == "no-referrer"
            assert "cache-control" in found
            assert re.fullmatch(r"[0-9a-f]{32}", found["x-request-id"])
            assert not found.keys() & {"server", "x-powered-by", "via", "x-runtime"}
            assert "strict-transport-security" not in found
            names = [name for name, _ in answer.headers if name != b"vary"]
            assert len(names) == len(set(names))
            if path != "/graphql" or found.get("content-type") != "text/html; charset=utf-8":
                assert policy == "default-src 'none'; frame-ancestors 'none'"

    async def test_an_https_deployment_asks_browsers_to_stay(self, services):
        face = Face(await reconfigured(services, **https(services)))
        for method, path in EVERYWHERE:
            answer = await exchange(face, method, path, host=b"auth.example.com")
            hsts = headers_of(answer)["strict-transport-security"]
            assert hsts == "max-age=31536000; includeSubDomains", path

    async def test_only_keys_and_assets_may_be_kept(self, face):
        for method, path in EVERYWHERE:
            if "jwks" not in path and "assets" not in path:
                answer = await exchange(face, method, path, [JSON], [b"{}"])
                assert headers_of(answer)["cache-control"] == "no-store", path


class TestMethods:
    """SEC-106"""

    async def test_an_unlisted_method_is_refused(self, face):
        unlisted = [
            "TRACE",
            "TRACK",
            "CONNECT",
            "PROPFIND",
            "LINK",
            "get",
            "Post",
            "PURGE",
            "X",
            "",
        ]
        for (_, path), method in itertools.product(EVERYWHERE[:10], unlisted):
            answer = await exchange(face, method, path, [JSON], [ASK])
            assert answer.status == 405
            assert answer.received == 0

    async def test_a_method_that_a_path_does_not_know_is_refused(self, face):
        listed = ("GET", "POST", "PUT", "PATCH", "DELETE")
        for (_, path), other in itertools.product(EVERYWHERE[:15], listed):
            answer = await exchange(face, other, path, [JSON], [b"{}"])
            assert answer.status in (200, 204, 400, 401, 403, 404, 405)
            if other in ("PUT", "DELETE"):
                needs_a_key = (other, path) == ("DELETE", "/users/x")  # of the admin listener
                assert answer.status in (404, 405, 401 if needs_a_key else 404)
                assert b"code" in answer.body

    @pytest.mark.parametrize(
        "name", [b"x-http-method-override", b"x-http-method", b"x-method-override", b"_method"]
    )
    async def test_no_header_changes_the_method(self, services, public, name):
        token = (await make_session(services, await make_user(services))).token
        cookie = (b"cookie", f"hanko={token}".encode())
        answer = await exchange(public, "GET", "/logout", [(name, b"POST"), cookie])
        assert answer.status == 405
        answer = await exchange(public, "POST", "/me", [(name, b"GET"), cookie])
        assert answer.status == 405
        assert (await public.get("/me", token=token)).status_code == 200

    async def test_nothing_changes_by_a_safe_method(self, services, face, key):
        user = await make_user(services, public={"a": 1})
        token = (await make_session(services, user)).token
        await face.get(f"/api/server/v1/users/{user.id}", key=key)
        tables = [table for table in TABLES if table != "signing_key"]
        before = [str(await fetch(f"SELECT * FROM {table}")) for table in tables]
        for _, path in EVERYWHERE:
            where = path.replace("/x", f"/{user.id}")
            for method in ("GET", "HEAD", "OPTIONS"):
                for bearing in ({"key": key}, {"token": token}, {"cookie": token}):
                    await face.call(method, where, {"public_metadata": None}, **bearing)
        assert [str(await fetch(f"SELECT * FROM {table}")) for table in tables] == before


class TestBodies:
    """SEC-104"""

    PATHS = (
        ("POST", "/graphql"),
        ("POST", "/api/server/v1/users"),
        ("PATCH", "/api/server/v1/users/x/metadata"),
    )

    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_a_body_that_is_announced_too_long_is_not_even_read(self, face, method, path):
        for length in (MAX_BODY + 1, 10**12, 10**30):
            announced = (b"content-length", str(length).encode())
            answer = await exchange(face, method, path, [JSON, announced], [b"x"] * 10)
            assert answer.status == 413
            assert answer.received == 0
            assert headers_of(answer)["connection"] == "close"

    async def test_a_length_that_is_none_is_refused(self, face):
        for length in (b"-1", b"x", b"0x10", b"1.0", b"+5", b""):
            given = [JSON, (b"content-length", length)]
            answer = await exchange(face, "POST", "/graphql", given, [ASK])
            assert answer.status in (400, 413)
            assert answer.received == 0

    async def test_the_longest_body_is_read_and_one_byte_more_is_not(self, face):
        padded = ASK + b" " * (MAX_BODY - len(ASK))
        for body in ([padded], [padded[:1000], padded[1000:]]):
            answer = await exchange(face, "POST", "/graphql", [JSON], body)
            assert answer.status == 200
            answer = await exchange(face, "POST", "/graphql", [JSON], [*body, b" "])
            assert answer.status == 413

    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_a_body_in_pieces_is_left_where_it_grows_too_long(self, face, key, method, path):
        piece = b" " * 16_384
        bearing = [JSON, (b"authorization", f"Bearer {key}".encode())]
        answer = await exchange(face, method, path, bearing, [piece] * 100)
        assert answer.status == 413
        assert answer.received <= 10
        code = "BODY_TOO_LARGE" if path == "/graphql" else "body_too_large"
        assert code in answer.body.decode()

    async def test_a_compressed_body_is_refused(self, face):
        codings = ["gzip", "deflate", "br", "zstd", "x-gzip", "chunked", ""]
        for (method, path), coding in itertools.product(self.PATHS, codings):
            given = [JSON, (b"content-encoding", coding.encode())]
            answer = await exchange(face, method, path, given, [b"\x1f\x8b"])
            assert answer.status == 415
            assert answer.received == 0

    async def test_too_many_or_too_long_headers_are_refused(self, face):
        """SEC-109: as far as a server lets them come."""
        many = [(b"x-%d" % n, b"1") for n in range(99)]
        assert (await exchange(face, "GET", "/health/alive", many)).status == 200
        answer = await exchange(face, "GET", "/health/alive", [*many, (b"x-more", b"1")])
        assert answer.status == 431
        assert headers_of(answer)["connection"] == "close"
        fixed = len(b"hostlocalhost:8000x-long")
        fits = [(b"x-long", b"x" * (16 * 1024 - fixed))]
        assert (await exchange(face, "GET", "/health/alive", fits)).status == 200
        answer = await exchange(face, "GET", "/health/alive", [(b"x-long", fits[0][1] + b"x")])
        assert answer.status == 431

    async def test_a_path_has_a_longest_length(self, face):
        assert (await exchange(face, "GET", "/" + "x" * 2047)).status == 404
        assert (await exchange(face, "GET", "/" + "x" * 2048)).status == 414

    async def test_a_query_has_a_longest_length(self, services, admin, key):
        for length, status in ((8 * 1024, 200), (8 * 1024 + 1, 414)):
            query = "x=" + "y" * (length - 2)
            assert (await admin.get(f"/users?{query}", key=key)).status_code == status

    async def test_401_says_what_to_come_with(self, public, admin):
        """RFC 9110 §15.5.2: and no other answer does."""
        for answer in (await public.get("/me"), await admin.get("/users")):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert "www-authenticate" not in (await public.get("/health/alive")).headers


class TestDefects:
    """SEC-097: what no face has answered, the gate answers."""

    def gate(self, services, app):
        config = services.config
        return SimpleNamespace(
            gate=Gate(app, Listener("public", config), config, RequestLog(), Metrics())
        )

    @pytest.mark.parametrize(
        ("raised", "status", "code"),
        [
            (RuntimeError("hunter2"), 500, "internal"),
            (KeysUnreadable("hunter2"), 500, "internal"),
            (Unavailable(), 503, "unavailable"),
            (NotFound("There is nothing."), 404, "not_found"),
        ],
    )
    async def test_an_error_is_answered_once_and_plainly(self, services, raised, status, code):
        async def app(scope, receive, send):
            raise raised

        given = [(b"x-request-id", b"r-1")]
        answer = await exchange(self.gate(services, app), "GET", "/", given)
        assert answer.status == status
        error = json.loads(answer.body)["error"]
        assert (error["code"], error["request_id"]) == (code, "r-1")
        assert b"hunter2" not in answer.body
        assert headers_of(answer)["x-content-type-options"] == "nosniff"

    async def test_an_answer_that_has_begun_is_not_begun_again(self, services):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("hunter2")

        answer = await exchange(self.gate(services, app), "GET", "/")
        assert (answer.status, answer.body) == (200, b"")

    async def test_the_life_of_the_server_is_the_application_s_own(self, services):
        seen = []

        async def app(scope, receive, send):
            seen.append(scope["type"])

        await self.gate(services, app).gate({"type": "lifespan"}, None, None)
        assert seen == ["lifespan"]


class TestRequestIds:
    async def test_a_plain_one_is_kept(self, face):
        plain = ("r", "A.b_c-9", "0" * 64, "550e8400-e29b-41d4-a716")
        for given, path in itertools.product(plain, ("/health/alive", "/nowhere", "/me")):
            answer = await exchange(face, "GET", path, [(b"x-request-id", given.encode())])
            assert headers_of(answer)["x-request-id"] == given
        body = json.loads(answer.body)
        assert body["error"]["request_id"] == given

    async def test_any_other_is_replaced(self, face):
        odd = [b"", b"a b", b"x" * 65, b"<b>", b"a/b", b"a\nb", b"\xc3\xa9", b"a,b", b'"', b"\x1b"]
        for given in odd:
            answer = await exchange(face, "GET", "/nowhere", [(b"x-request-id", given)])
            shown = headers_of(answer)["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{32}", shown)
            assert json.loads(answer.body)["error"]["request_id"] == shown

    async def test_each_request_has_its_own(self, face):
        shown = {(await face.get("/health/alive")).headers["x-request-id"] for _ in range(20)}
        assert len(shown) == 20


class TestClientAddress:
    """SEC-070"""

    @pytest.fixture
    def seen(self, services):
        async def seen(headers, peer="203.0.113.9", **ip):
            others = await reconfigured(
                services, log=Log(requests=True), server=Server(ip=ClientAddress(**ip))
            )
            stream = io.StringIO()
            log = RequestLog(stream)
            face = Face(others, log=log, peer=(peer, 1))
            await face.get("/me", headers=headers)
            log.flush()
            return json.loads(stream.getvalue())["address"]

        return seen

    FORGED = (
        ("x-forwarded-for", "198.51.100.7"),
        ("x-real-ip", "198.51.100.7"),
        ("forwarded", "for=198.51.100.7"),
        ("x-client-ip", "198.51.100.7"),
        ("cf-connecting-ip", "198.51.100.7"),
        ("true-client-ip", "198.51.100.7"),
    )

    async def test_the_socket_s_address_counts_unless_told_otherwise(self, seen):
        assert await seen(self.FORGED) == "203.0.113.9"
        assert await seen(self.FORGED, peer="::ffff:203.0.113.9") == "203.0.113.9"
        assert await seen(self.FORGED, peer="2001:db8::1") == "2001:db8::1"

    @pytest.mark.parametrize("extractor", ["x_forwarded_for", "x_real_ip"])
    async def test_who_is_no_proxy_of_ours_says_nothing(self, seen, extractor):
        ip = {"extractor": extractor, "trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}
        assert await seen(self.FORGED, **ip) == "203.0.113.9"
        assert await seen(self.FORGED, peer="11.0.0.1", **ip) == "11.0.0.1"
        assert await seen(self.FORGED, peer="unix", **ip) == "unix"

    @pytest.mark.parametrize(
        ("lines", "address"),
        [
            (["198.51.100.7"], "198.51.100.7"),
            (["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            (["1.2.3.4, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            (["1.2.3.4", "198.51.100.7", "10.0.0.2, 10.0.0.3"], "198.51.100.7"),
            (["198.51.100.7,10.0.0.2"], "198.51.100.7"),
            (["2001:DB8:0::7, fd00::1"], "2001:db8::7"),
            (["10.0.0.2, 10.0.0.3"], "10.0.0.1"),
            (["1.2.3.4, unknown"], "10.0.0.1"),
            (["1.2.3.4, 198.51.100.7:443"], "10.0.0.1"),
            (["1.2.3.4, 198.51.100.999, 10.0.0.2"], "10.0.0.1"),
            (["1.2.3.4, "], "10.0.0.1"),
            (["<script>"], "10.0.0.1"),
            ([""], "10.0.0.1"),
            ([], "10.0.0.1"),
        ],
    )
    async def test_of_a_proxy_s_list_the_right_most_stranger_counts(self, seen, lines, address):
        headers = [("x-forwarded-for", line) for line in lines]
        headers += [("x-real-ip", "192.0.2.1"), ("forwarded", "for=192.0.2.2")]
        found = await seen(
            headers,
            peer="10.0.0.1",
            extractor="x_forwarded_for",
            trusted_proxies=["10.0.0.0/8", "fd00::/8"],
        )
        assert found == address

    @pytest.mark.parametrize(
        ("given", "address"),
        [("198.51.100.7", "198.51.100.7"), ("x", "10.0.0.1"), ("", "10.0.0.1"), (None, "10.0.0.1")],
    )
    async def test_a_proxy_may_give_one_address_instead(self, seen, given, address):
        headers = [("x-forwarded-for", "192.0.2.1")]
        headers += [("x-real-ip", given)] if given is not None else []
        found = await seen(
            headers, peer="10.0.0.1", extractor="x_real_ip", trusted_proxies=["10.0.0.1/32"]
        )
        assert found == address

    async def test_records_keep_the_address_that_counts(self, services, key):
        user = await make_user(services)
        face = Face(services, peer=("203.0.113.9", 1))
        await face.patch(
            f"/api/server/v1/users/{user.id}/metadata",
            {"publicMetadata": {"a": 1}},
            key=key,
            headers=self.FORGED,
        )
        rows = await fetch("SELECT address FROM audit_event WHERE type = 'metadata_updated'")
        assert [row["address"] for row in rows] == ["203.0.113.9"]
