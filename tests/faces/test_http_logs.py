"""What the logs hold of requests: a line each, and nothing that is secret (SEC-116, SEC-117)."""

import io
import json
import logging
from dataclasses import replace

import pytest
from faces.clients import Face, exchange
from faces.documents import call, everything, roots
from factories import disguised, make_key, make_session, make_user, reconfigured

from app import logs
from app.config.sections import Log
from app.logs import RequestLog
from app.persistence import DatabaseUnavailable, fetch
from app.users import Users

pytestmark = pytest.mark.one_database

PRIVATE = {"privatekey736455918273": {"inner": "privatevalue736455918273"}}
PASSWORD = "hunter2-736455918273"
STARTERS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\x1b\x07\0\u202a\u202e\u2066\u2069\u200e\ufeff"


@pytest.fixture
def written():
    """Every line that is logged meanwhile, at any level."""
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    client = logging.getLogger("httpx")  # ours, and no part of the server
    client.disabled = True
    yield stream
    client.disabled = False
    logs.configure("ERROR")


@pytest.fixture
async def logging_face(services, written):
    """Makes listeners that write their access log into the same stream."""
    others = await reconfigured(services, log=Log(requests=True, log_health_and_metrics=True))

    def face(name="public", using=others):
        return Face(using, name, log=RequestLog(written))

    face.services = others
    return face


def lines(face, stream):
    """The lines of a stream, each of which must be one JSON object."""
    face.gate._log.flush()
    text = stream.getvalue()
    assert not set(text) & set(STARTERS) - {"\n"}
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found


class TestWho:
    """Lines name who has asked by ids, and what by names of ours."""

    async def test_a_line_names_the_session_the_user_and_the_operation(
        self, services, logging_face, written
    ):
        user = await make_user(services)
        issued = await make_session(services, user)
        face = logging_face()
        await face.gql("query Mine { me { id } }", token=issued.token)
        (line,) = [one for one in lines(face, written) if "listener" in one]
        assert (line["session_id"], line["user_id"]) == (str(issued.session.id), str(user.id))
        assert line["operation"] == "graphql me"
        assert "secret_key_id" not in line

    async def test_a_line_names_the_secret_key_and_nobody_where_there_is_nobody(
        self, services, logging_face, written
    ):
        face = logging_face()
        await face.gql("{ users { nodes { id } } }", key=await make_key(services, "users:read"))
        await face.gql("{ me { id } }", token="eyJ.a.b")
        await face.get("/health/alive")
        by_key, nobody, health = [one for one in lines(face, written) if "listener" in one]
        assert len(by_key["secret_key_id"]) == 36
        for line in (nobody, health):
            assert not {"session_id", "user_id", "secret_key_id"} & set(line)
        assert health["operation"] == "GET /health/alive"

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/me"),
            ("GET", "/sessions/validate"),
            ("GET", "/webauthn/credentials"),
            ("POST", "/profile"),
            ("POST", "/logout"),
        ],
    )
    async def test_whatever_is_asked_with_a_session_names_it(
        self, services, logging_face, written, method, path
    ):
        face = logging_face()
        for where in ("token", "cookie"):
            issued = await make_session(services, await make_user(services))
            await face.call(method, path, **{where: issued.token})
            line = [one for one in lines(face, written) if "listener" in one][-1]
            assert line["session_id"] == str(issued.session.id)
            assert line["status"] < 400
            assert issued.token not in written.getvalue()

    async def test_every_line_of_a_request_names_it_and_its_session(
        self, services, logging_face, written, monkeypatch
    ):
        async def flags(*_):
            logging.getLogger("sekisho.test").warning("during", extra={"more": 1})
            return await flags_of(*_)

        flags_of = type(services.users).emails_of
        monkeypatch.setattr(type(services.users), "emails_of", flags)
        issued = await make_session(services, await make_user(services))
        face = logging_face()
        given = {"x-request-id": "r-736455918273"}
        await face.gql("{ me { emails { address } } }", token=issued.token, headers=given)
        logging.getLogger("sekisho.test").warning("after")
        found = {one.get("message", "access"): one for one in lines(face, written)}
        for name in ("during", "access"):
            assert found[name]["request_id"] == "r-736455918273"
            assert found[name]["session_id"] == str(issued.session.id)
        assert found["during"]["more"] == 1
        assert not {"request_id", "session_id"} & set(found["after"])

    async def test_a_line_of_its_own_ids_keeps_them(self, services, logging_face, written):
        face = logging_face()

        async def app(*_):
            logging.getLogger("sekisho.test").warning("x", extra={"request_id": "its own"})
            raise RuntimeError

        face.gate._app = app
        assert (await face.get("/me")).status_code == 500
        (line,) = [one for one in lines(face, written) if one.get("message") == "x"]
        assert line["request_id"] == "its own"


class TestSecrets:
    """SEC-116"""

    async def test_no_line_holds_a_secret_whatever_is_asked(self, services, logging_face, written):
        user = await make_user(services, private=PRIVATE)
        key, narrow = await make_key(services), await make_key(services, "users:read")
        token = (await make_session(services, user)).token
        secrets = {key, narrow, key.rpartition("_")[2], narrow.rpartition("_")[2], token}
        secrets |= {token.rpartition(".")[2], "736455918273", "eyJ", "sk_"}
        digests = await fetch("SELECT digest FROM secret_key")
        secrets |= {row["digest"] for row in digests}
        for name in ("public", "admin"):
            face = logging_face(name)
            for bearing in ({"key": key}, {"key": narrow, "cookie": token}, {"token": token}, {}):
                made = await self.ask_everything(face, user, bearing)
                secrets |= made
            lines(face, written)
        text = written.getvalue()
        assert text.count("\n") > 100
        for secret in secrets:
            assert secret not in text

    async def ask_everything(self, face, user, bearing):
        """Call every endpoint and every field; give what secrets were handed out."""
        made = set()
        for kind, name, field in roots():
            selected = everything(field.type, 3)
            for whole in (False, True):
                document, variables = call(kind, name, selected, an_id=str(user.id), whole=whole)
                if "privateMetadata" in variables.get("input", {}):
                    variables["input"]["privateMetadata"] = PRIVATE
                if name in ("deleteUser", "signOut", "revokeUserSessions"):
                    continue
                answer = await face.gql(document, variables, **bearing)
                data = (answer.get("data") or {}).get(name)
                if isinstance(data, dict):
                    made |= {data.get("secret"), data.get("token")} - {None}
        bags = {"private_metadata": PRIVATE}
        for method, path, body in (
            ("GET", "/me?token=736455918273&key=sk_736455918273", ...),
            ("GET", f"/users/{user.id}", ...),
            ("GET", "/sessions/validate", ...),
            ("POST", "/sessions/validate", {"session_token": "eyJ736455918273.eyJ.x"}),
            ("GET", "/.well-known/jwks.json", ...),
            ("GET", f"/users/{user.id}/metadata", ...),
            ("PATCH", f"/users/{user.id}/metadata", bags),
            ("PATCH", f"/users/{user.id}/metadata", {"private_metadata": {"a": "736455918273\0"}}),
            (
                "PATCH",
                f"/users/{user.id}/metadata",
                {"private_metadata": {"736455918273" * 700: 1}},
            ),
            ("GET", f"/api/server/v1/users/{user.id}", ...),
            ("PATCH", f"/api/server/v1/users/{user.id}/metadata", bags),
            ("POST", "/api/server/v1/users", {"email": "b@example.com", "password": PASSWORD}),
            ("POST", "/api/server/v1/users", {"email": "b@example.com", **bags}),
            ("POST", "/graphql", [PASSWORD]),
            ("POST", "/graphql", {"query": f"{{ {PASSWORD}", "variables": PRIVATE}),
        ):
            await face.call(method, path, body, **bearing)
        await face.post("/graphql", content=PASSWORD.encode(), **bearing)
        await face.call("GET", "/me", headers={"authorization": f"Basic {PASSWORD}"})
        return made

    async def test_a_defect_is_logged_without_what_it_was_about(
        self, services, logging_face, written
    ):
        class BrokenUsers(Users):
            async def create(self, actor, new, **_):
                raise RuntimeError(f"cannot make {new} for {actor}")

        key = await make_key(services)
        double = disguised(services.users, BrokenUsers)
        passwords = replace(services.passwords, users=double)
        using = replace(logging_face.services, users=double, passwords=passwords)
        face = logging_face(using=using)
        body = {"email": "b@example.com", "privateMetadata": PRIVATE}
        answer = await face.post("/api/server/v1/users", body, key=key)
        assert answer.status_code == 500
        document = """mutation ($p: JSON) { createUser(input: {username: "abc",
          privateMetadata: $p}) { user { id } } }"""
        await face.gql(document, {"p": PRIVATE}, key=key)
        found = lines(face, written)
        traces = [line for line in found if "trace" in line]
        assert len(traces) == 2
        assert all(line["trace"][-1] == "RuntimeError" for line in traces)
        assert all(line["level"] == "error" for line in traces)
        assert "736455918273" not in written.getvalue()

    async def test_a_database_that_is_away_is_a_warning_that_names_the_fault_and_no_defect(
        self, services, logging_face, written
    ):
        """SEC-130: nobody is woken a thousand times by what one alarm tells."""

        class AwayUsers(Users):
            async def create(self, actor, new, **_):
                raise DatabaseUnavailable from ConnectionResetError(PASSWORD)

        key = await make_key(services)
        double = disguised(services.users, AwayUsers)
        passwords = replace(services.passwords, users=double)
        face = logging_face(using=replace(logging_face.services, users=double, passwords=passwords))
        answer = await face.post("/api/server/v1/users", {"email": "b@example.com"}, key=key)
        assert answer.status_code == 503
        document = 'mutation { createUser(input: {username: "abc"}) { user { id } } }'
        told = await face.gql(document, key=key)
        assert told["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        found = [one for one in lines(face, written) if one.get("message") == "unavailable"]
        assert [(one["level"], one["fault"]) for one in found] == [
            ("warning", "ConnectionResetError")
        ] * 2
        assert not any("trace" in one for one in lines(face, written))
        assert "736455918273" not in written.getvalue()

    async def test_records_hold_no_secret_either(self, services, admin, key):
        user = await make_user(services, private=PRIVATE)
        await admin.patch(f"/users/{user.id}/metadata", {"private_metadata": PRIVATE}, key=key)
        query = """mutation { createSecretKey(input: {name: "a", scopes: ["users:read"]}) {
          secret } }"""
        secret = (await admin.gql(query, key=key))["data"]["createSecretKey"]["secret"]
        text = str(await fetch("SELECT * FROM audit_event"))
        assert "736455918273" not in text
        assert secret not in text
        assert secret.rpartition("_")[2] not in text


HOSTILE = [
    '/a\r\n{"level":"info","message":"forged"}',
    "/a\n\n\n",
    "/\x1b[31mred\x1b[0m",
    "/\u202egnp.exe",
    "/\u2028\u2029\u0085",
    "/\0\x07\x7f\x9b",
    '/"}\\"',
    "/\ufeff\u200b\u200e",
    "/" + "\U0001f600" * 50,
    "/" + "x" * 2000,
    "/%0d%0a",
    "/\udcff\ud800",
]


class TestLines:
    """SEC-117"""

    async def test_each_request_is_one_line_whatever_its_path(self, logging_face, written):
        face = logging_face()
        before = len(lines(face, written))
        for path in HOSTILE:
            answer = await exchange(face, "GET", path)
            assert answer.status in (400, 404)
        found = lines(face, written)[before:]
        assert len(found) == len(HOSTILE)
        assert [line["status"] for line in found] == [404] * len(HOSTILE)
        assert not any(line.get("message") == "forged" for line in found)

    async def test_no_header_reaches_the_access_log(self, logging_face, written):
        face = logging_face()
        hostile = [
            (name, value.encode("utf-8", "surrogatepass"))
            for name in (b"user-agent", b"referer", b"x-request-id", b"cookie", b"x-forwarded-for")
            for value in HOSTILE
        ]
        for header in hostile:
            await exchange(face, "GET", "/me", [header])
        assert len(lines(face, written)) == len(hostile)
        assert "forged" not in written.getvalue()

    async def test_a_line_is_bounded_whatever_is_asked_sec_126(self, logging_face, written):
        face = logging_face()
        await exchange(face, "X" * 60_000, "/" + "y" * 60_000, [(b"x-request-id", b"z" * 60_000)])
        (line,) = lines(face, written)
        assert len(json.dumps(line)) < 3_000
        assert not {"X" * 21, "zz"} & {line["method"], line["request_id"]}

    async def test_a_hostile_method_is_one_line_too(self, logging_face, written):
        face = logging_face()
        for method in ("GET\r\nX", "\x1b[31m", "\u2028", "X" * 100):
            assert (await exchange(face, method, "/me")).status == 405
        assert len(lines(face, written)) == 4

    async def test_a_line_tells_what_was_asked_and_how_it_was_answered(self, logging_face, written):
        face = logging_face("admin")
        await face.get("/nowhere?query=1", headers={"x-request-id": "r-1"})
        (line,) = lines(face, written)
        assert line.pop("ms") >= 0
        assert line.pop("time").endswith("+00:00")
        assert line == {
            "level": "info",
            "logger": "sekisho.access",
            "listener": "admin",
            "request_id": "r-1",
            "address": "127.0.0.1",
            "method": "GET",
            "path": "/nowhere",
            "operation": "other",
            "status": 404,
        }

    async def test_health_is_left_out_unless_asked_for_and_all_of_it_can_be(
        self, services, written
    ):
        quiet = Face(await reconfigured(services, log=Log(requests=True)), log=RequestLog(written))
        await quiet.get("/health/alive")
        await quiet.get("/me")
        assert [line["path"] for line in lines(quiet, written)] == ["/me"]
        none = Face(await reconfigured(services, log=Log(requests=False)), log=RequestLog(written))
        await none.get("/me")
        assert written.getvalue().count("\n") == 1

    async def test_what_a_gate_refuses_is_logged_as_well(self, logging_face, written):
        face = logging_face()
        await exchange(face, "GET", "/me", host=b"evil.example")
        await exchange(face, "POST", "/graphql", [(b"content-length", b"999999999")])
        assert [line["status"] for line in lines(face, written)] == [400, 413]


async def test_a_record_repeated_among_the_logs_starts_no_line(services, written):
    """SEC-117"""
    key = await make_key(services)
    hostile = 'a\u2028b\x1b[31m"}'
    face = Face(services, "admin")
    document = """mutation ($n: String!) { createSecretKey(input: {name: $n,
      scopes: ["users:read"]}) { userErrors { code } } }"""
    await face.gql(document, {"n": hostile}, key=key)
    logging.getLogger("sekisho.test").warning("%s", hostile)
    for line in written.getvalue().splitlines():
        assert isinstance(json.loads(line), dict)
    assert not set(written.getvalue()) & set(STARTERS) - {"\n"}
