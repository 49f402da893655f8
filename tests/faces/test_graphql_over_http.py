"""GraphQL over HTTP: what is taken for a request, and with which status it is answered."""

import hashlib
import json

import pytest
from faces.clients import MODERN, Face, exchange
from factories import make_session, make_user, reconfigured

from app.config.sections import GraphQL

pytestmark = pytest.mark.one_database

ASK = {"query": "{ me { id } }"}
NOBODY = {"data": {"me": None}, "extensions": {"cost": 2}}
NO_REQUESTS = [
    b"",
    b" ",
    b"null",
    b"true",
    b"1",
    b'"{ me { id } }"',
    b"[]",
    b'[{"query": "{ me { id } }"}]',
    b'[{"query": "{ me { id } }"}, {"query": "{ me { id } }"}]',
    b"{}",
    b'{"query": null}',
    b'{"query": 1}',
    b'{"query": ["{ me { id } }"]}',
    b'{"query": {"me": "id"}}',
    b'{"variables": {}}',
    b'{"query": "{ me { id } }", "documentId": "sha256:00"}',
    b'{"documentId": 1}',
    b'{"documentId": "sha256:00"}',
    b'{"query": "{ me { id } }", "variables": []}',
    b'{"query": "{ me { id } }", "variables": "{}"}',
    b'{"query": "{ me { id } }", "operationName": 1}',
    b'{"query": "{ me { id } }", "extensions": []}',
    b'{"query": "{ me { id } }", "Query": "{ me { id } }"}',
    b'{"query": "{ me { id } }", "id": 1}',
    b'{"query": "{ me { id } }", "query": "{ me { id } }"}',
    b'{"query": "{ me { id } }", "variables": {"a": 1, "a": 2}}',
    b'{"query": "{ me { id } }", "variables": {"a": {"b": 1, "b": 1}}}',
    b'{"query": "{ me { id } }", "variables": {"a": NaN}}',
    b'{"query": "{ me { id } }", "variables": {"a": Infinity}}',
    b'{"query": "{ me { id } }", "variables": {"a": -Infinity}}',
    b'{"query": "{ me { id } }", "variables": {"a": 1e999}}',
    b'{"query": "{ me { id } }", "variables": {"a": 01}}',
    b'{"query": "{ me { id } }", "variables": {"a": 0x10}}',
    b'{"query": "{ me { id } }",}',
    b'{"query": "{ me { id } }"} {"query": "{ me { id } }"}',
    b'{"query": "{ me { id } }"} x',
    b"{'query': '{ me { id } }'}",
    b'{"query": "{ me { id } }" /* a comment */}',
    b'{"query": "{ me {\n id } }"}',
    b'{"query": "\x00"}',
    b"\xef\xbb\xbf" + b'{"query": "{ me { id } }"}',
    '{"query": "{ me { id } }"}'.encode("utf-16"),
    '{"query": "{ me { id } }"}'.encode("utf-16-le"),
    b'{"query": "\xff"}',
    b'{"query": "\xc0\xaf"}',
    b'{"query": "\xed\xa0\x80"}',
    b'{"query": "{ me { id } }", "variables": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
    b"[" * 100_000,
    b'{"a":' * 20_000,
]
OTHER_MEDIA = [
    "",
    "text/plain",
    "text/plain; charset=utf-8",
    "text/plain;application/json",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/graphql",
    "application/graphql+json",
    "application/graphql-response+json",
    "application/json5",
    "application/jsonx",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/json; boundary=x",
    "application/x-msgpack",
    "*/*",
    "json",
]


@pytest.fixture
async def token(services):
    return (await make_session(services, await make_user(services))).token


def code_of(answer):
    (error,) = answer.json()["errors"]
    assert "data" not in answer.json()
    return error["extensions"]["code"]


class TestMethod:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    async def test_only_post_runs_anything(self, public, method):
        """SEC-094"""
        answer = await public.call(method, "/graphql", ASK)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"

    @pytest.mark.parametrize(
        "query",
        [
            "query={me{id}}",
            "query=%7Bme%7Bid%7D%7D&variables={}",
            "query=mutation{signOut{deletedId}}",
            "documentId=sha256:00",
        ],
    )
    async def test_nothing_runs_from_a_url(self, public, token, query):
        """SEC-094, SEC-106"""
        answer = await public.get(f"/graphql?{query}", cookie=token)
        assert answer.status_code == 405
        assert code_of(answer) == "METHOD_NOT_ALLOWED"
        answer = await public.post(f"/graphql?{query}", content=b"", cookie=token)
        assert answer.status_code == 400
        after = await public.gql("{ me { id } }", cookie=token)
        assert after["data"]["me"] is not None

    @pytest.mark.parametrize(
        "name", ["x-http-method-override", "x-http-method", "x-method-override"]
    )
    async def test_no_header_turns_a_get_into_a_post(self, public, name):
        """SEC-106"""
        answer = await public.call("GET", "/graphql", ASK, headers={name: "POST"})
        assert answer.status_code == 405


class TestContentType:
    @pytest.mark.parametrize(
        "media",
        [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            'Application/JSON; charset="utf-8"',
            " application/json ",
        ],
    )
    async def test_json_is_taken(self, public, media):
        answer = await public.post("/graphql", ASK, headers={"content-type": media})
        assert answer.json() == NOBODY

    async def test_anything_else_is_refused_before_it_is_read(self, public, token):
        """SEC-094: no page of another site can send JSON without being asked first."""
        for media in OTHER_MEDIA:
            headers = [(b"content-type", media.encode()), (b"cookie", f"hanko={token}".encode())]
            body = json.dumps({"query": "mutation { signOut { deletedId } }"}).encode()
            answer = await exchange(public, "POST", "/graphql", headers, [body])
            assert answer.status == 415
            assert answer.received == 0
            assert (await public.gql("{ me { id } }", token=token))["data"]["me"] is not None

    async def test_a_missing_type_is_refused(self, public):
        """SEC-094"""
        answer = await exchange(public, "POST", "/graphql", (), [json.dumps(ASK).encode()])
        assert answer.status == 415
        assert json.loads(answer.body)["errors"][0]["extensions"] == {
            "code": "UNSUPPORTED_MEDIA_TYPE"
        }

    async def test_two_types_are_refused(self, public):
        """SEC-094"""
        types = [("content-type", "application/json"), ("content-type", "text/plain")]
        answer = await public.post("/graphql", ASK, headers=types)
        assert answer.status_code == 400

    async def test_a_form_in_the_clothes_of_graphql_multipart_is_refused(self, public, token):
        """SEC-094: CVE-2024-47082"""
        form = (
            '--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n'
            '{"query": "mutation { signOut { deletedId } }"}\r\n'
            '--x\r\ncontent-disposition: form-data; name="map"\r\n\r\n{}\r\n--x--\r\n'
        )
        for media in ("multipart/form-data; boundary=x", "multipart/mixed; boundary=x"):
            answer = await public.post(
                "/graphql", content=form.encode(), cookie=token, headers={"content-type": media}
            )
            assert answer.status_code == 415


class TestBody:
    async def test_what_is_no_request_is_refused_with_400(self, public):
        """SEC-095, SEC-105"""
        for body in NO_REQUESTS:
            for accept in ("application/json", MODERN):
                answer = await public.post("/graphql", content=body, headers={"accept": accept})
                assert answer.status_code == 400
                assert code_of(answer) == "BAD_REQUEST"

    @pytest.mark.parametrize(
        "body",
        [
            b' {"query": "{ me { id } }"}\n',
            b'{"query": "{ me { id } }", "variables": null, "operationName": null}',
            b'{"query": "{ me { id } }", "operationName": ""}',
            b'{"query": "{ me { id } }", "extensions": {"anything": [1]}, "variables": {"b": 1}}',
            b'{"query": "query A { me { id } }", "operationName": "A"}',
            b'{"query": "query A { me { id } } query B { server { name } }", "operationName": "A"}',
            b'{"query": "\\u007b me { id } }"}',
            b'{"query": "{ me { id } }", "variables": {"a": ' + b"[" * 30 + b"]" * 30 + b"}}",
        ],
    )
    async def test_what_is_a_request_is_answered(self, public, body):
        answer = await public.post("/graphql", content=body)
        assert answer.json() == NOBODY

    async def test_a_compressed_body_is_refused(self, public):
        """SEC-104"""
        for coding in ("gzip", "br", "deflate", "GZIP", "identity, gzip"):
            answer = await public.post("/graphql", ASK, headers={"content-encoding": coding})
            assert answer.status_code == 415


class TestStatus:
    CASES = (
        ({"query": "{ me { id } }"}, 200),
        ({"query": "{ me { id "}, 400),
        ({"query": ""}, 400),
        ({"query": "{ me { nothing } }"}, 422),
        ({"query": "{ me }"}, 422),
        ({"query": "fragment f on User { id }"}, 422),
        ({"query": "type A { b: Int }"}, 422),
        ({"query": "subscription { me { id } }"}, 422),
        ({"query": "query A { me { id } } query B { me { id } }"}, 400),
        ({"query": "{ me { id } }", "operationName": "Z"}, 400),
        ({"query": "query ($p: String!) { me { publicMetadata(path: $p) } }"}, 422),
        (
            {
                "query": "query ($p: String) { me { publicMetadata(path: $p) } }",
                "variables": {"p": 1},
            },
            422,
        ),
        ({"query": "{ " + "me { id } " * 16 + "}"}, 400),
    )

    @pytest.mark.parametrize(("body", "status"), CASES, ids=range(len(CASES)))
    async def test_a_client_that_understands_statuses_gets_them(self, public, body, status):
        answer = await public.post("/graphql", body, headers={"accept": MODERN})
        assert answer.status_code == status
        assert answer.headers["content-type"] == MODERN
        assert ("data" in answer.json()) is (status == 200)

    @pytest.mark.parametrize(("body", "status"), CASES, ids=range(len(CASES)))
    async def test_an_older_client_gets_200(self, public, body, status):
        for accept in ("application/json", "*/*"):
            answer = await public.post("/graphql", body, headers={"accept": accept})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert ("data" in answer.json()) is (status == 200)

    async def test_an_error_of_a_field_is_200_with_its_data(self, public, token):
        document = "{ me { id privateMetadata } users { nodes { id } } }"
        answer = await public.ask(document, token=token, headers={"accept": MODERN})
        assert answer.status_code == 200
        assert answer.json()["data"] is None

    async def test_no_answer_is_stored(self, public):
        for call in (
            public.post("/graphql", ASK),
            public.post("/graphql", content=b"x"),
            public.get("/graphql"),
            public.get("/graphql", headers={"accept": "text/html"}),
        ):
            assert (await call).headers["cache-control"] == "no-store"

    async def test_an_unknown_operation_is_refused_whatever_its_name_holds(self, public):
        """SEC-097"""
        for name in ("Z", "\ud800", "\x00", "é" * 1000):
            answer = await public.post("/graphql", {**ASK, "operationName": name})
            assert answer.status_code == 200
            assert code_of(answer) == "BAD_REQUEST"


class TestExplorer:
    async def test_a_browser_gets_the_explorer_under_a_policy_without_foreign_hosts(self, public):
        """SEC-012, SEC-103"""
        answer = await public.get("/graphql", headers={"accept": "text/html,*/*;q=0.8"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert "*" not in policy
        assert "'unsafe-eval'" not in policy
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        assert "createUser" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("accept", ["application/json", "*/*", MODERN, ""])
    async def test_who_is_no_browser_gets_no_explorer(self, public, accept):
        answer = await public.get("/graphql", headers={"accept": accept})
        assert answer.status_code == 405

    async def test_it_can_be_switched_off(self, services):
        off = await reconfigured(services, graphql=GraphQL(explorer="off"))
        answer = await Face(off).get("/graphql", headers={"accept": "text/html"})
        assert answer.status_code == 405

    @pytest.mark.parametrize(
        "name", ["nothing.js", "..", "../page.py", "%2e%2e/page.py", "manifest.json", "", "."]
    )
    async def test_no_other_file_is_handed_out(self, public, name):
        answer = await exchange(public, "GET", f"/graphql/assets/{name}")
        assert answer.status == 404

    async def test_an_asset_is_only_read(self, public):
        answer = await public.post("/graphql/assets/x.js", {})
        assert answer.status_code in (404, 405)


class TestPersistedDocuments:
    TEXT = "query Me($no: Boolean = false) { me { id @skip(if: $no) } }"

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "me.graphql").write_text(self.TEXT)
        (tmp_path / "other.txt").write_text("{ server { name } }")
        (tmp_path / "é.graphql").write_text("# é\n{ session { id } }")
        return str(tmp_path)

    def of(self, text):
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    async def test_a_registered_document_runs_by_its_digest(self, services, folder, token):
        config = GraphQL(persisted_documents=folder)
        face = Face(await reconfigured(services, graphql=config))
        body = {"documentId": self.of(self.TEXT), "variables": {"no": True}}
        answer = await face.post("/graphql", body, token=token)
        assert answer.json()["data"] == {"me": {}}
        answer = await face.post("/graphql", {"documentId": self.of("# é\n{ session { id } }")})
        assert answer.json()["data"] == {"session": None}
        assert (await face.gql("{ server { name } }"))["data"] is not None

    @pytest.mark.parametrize(
        "wrong",
        [
            "{ server { name } }",
            "nothing",
        ],
    )
    async def test_a_document_that_is_not_registered_does_not_run(self, services, folder, wrong):
        face = Face(await reconfigured(services, graphql=GraphQL(persisted_documents=folder)))
        known = self.of(self.TEXT)
        for name in (self.of(wrong), known.upper(), known.removeprefix("sha256:"), "", "../x"):
            answer = await face.post("/graphql", {"documentId": name})
            assert answer.status_code == 400
            assert code_of(answer) == "BAD_REQUEST"

    async def test_everything_else_can_be_refused(self, services, folder):
        config = GraphQL(persisted_documents=folder, only_persisted=True)
        face = Face(await reconfigured(services, graphql=config))
        answer = await face.post("/graphql", {"documentId": self.of(self.TEXT)})
        assert answer.json()["data"] == {"me": None}
        assert (await face.gql(self.TEXT))["data"] == {"me": None}
        for text in ("{ me { id } }", self.TEXT + " ", self.TEXT.replace("Me", "Me2"), ""):
            answer = await face.post("/graphql", {"query": text})
            assert answer.status_code == 400
            assert code_of(answer) == "BAD_REQUEST"

    async def test_only_persisted_without_a_folder_runs_nothing(self, services):
        face = Face(await reconfigured(services, graphql=GraphQL(only_persisted=True)))
        answer = await face.post("/graphql", ASK)
        assert answer.status_code == 400


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-transport-ws", ""])
async def test_no_websocket_is_mounted(public, protocol):
    """SEC-100"""
    sent = []
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(b"host", b"localhost:8000")],
        "subprotocols": [protocol],
        "scheme": "ws",
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 8000),
    }

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await public.gate(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
