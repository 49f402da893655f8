"""What a trace tells of a request, and what it does not (SEC-116)."""

import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from faces.clients import Face, exchange
from factories import disguised, make_key, make_session, make_user, with_config
from federation.connectors.loopback import Reply, serving
from flows.people import PASSWORD, at_password, person
from flows.walking import RestClient
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode
from traces import Kept

from app.access import SYSTEM
from app.config.sections import Log
from app.errors import Unavailable
from app.logs import RequestLog
from app.persistence import NotUnique, fetch, fetch_row, savepoint, transaction
from app.telemetry import NOTHING, is_traced, span, statement, trace_id, tracing, work
from app.users import Users
from app.worker import working

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-2] + "00"
TRACE = int(PARENT[3:35], 16)


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def face(services, kept):
    return Face(kept.on(services))


class TestRequests:
    async def test_an_operation_is_a_span_named_by_its_root_field(self, services, face, kept):
        user = await make_user(services)
        token = (await make_session(services, user)).token
        answer = await face.ask("query Mine { me { id } }", token=token)
        assert answer.json()["data"] == {"me": {"id": str(user.id)}}
        request = kept.one("graphql me")
        assert request.parent is None
        assert request.kind is SpanKind.SERVER
        assert request.status.status_code is StatusCode.UNSET
        assert dict(request.attributes) == {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "http.route": "/graphql",
            "sekisho.listener": "public",
            "sekisho.request_id": answer.headers["x-request-id"],
        }
        assert kept.path(kept.one("field me")) == ["graphql me", "field me"]
        assert kept.named("SELECT user_session")
        assert {one.context.trace_id for one in kept.spans} == {request.context.trace_id}

    async def test_a_path_is_told_by_its_template(self, services, face, kept):
        user, key = await make_user(services), await make_key(services)
        answer = await face.get(f"/api/server/v1/users/{user.id}?secret=736455918273", key=key)
        assert answer.status_code == 200
        request = kept.one("GET /api/server/v1/users/{user_id}")
        assert request.attributes["http.route"] == "/api/server/v1/users/{user_id}"
        await face.call("BREW", "/nothing/736455918273")
        other = kept.one("other")
        assert other.attributes["http.request.method"] == "_OTHER"
        assert other.attributes["http.response.status_code"] == 405
        for hidden in (str(user.id), key, "736455918273", "BREW"):
            assert hidden not in kept.text()

    async def test_health_and_metrics_make_no_span(self, services, kept):
        for name in ("public", "admin"):
            face = Face(kept.on(services), name)
            for path in ("/health/alive", "/health/ready", "/metrics"):
                await face.get(path)
        assert not kept.spans

    async def test_each_field_of_the_operation_is_a_span_and_no_field_below(
        self, services, face, kept
    ):
        key = await make_key(services)
        await make_user(services)
        ask = "{ users { nodes { id emails { address } } } server { name } webhooks { id } }"
        answer = await face.gql(ask, key=key)
        assert "errors" not in answer
        fields = {one.name for one in kept.spans if one.name.startswith("field ")}
        assert fields == {"field users", "field server", "field webhooks"}
        assert kept.path(kept.one("field webhooks")) == ["graphql several", "field webhooks"]
        inside = [kept.path(one) for one in kept.spans if one.name.startswith("SELECT webhook")]
        assert ["graphql several", "field webhooks", "SELECT webhook"] in inside

    async def test_a_change_shows_its_transaction_and_statements(self, services, face, kept):
        key = await make_key(services)
        create = 'mutation { createUser(input: {username: "ada736455918273"}) { user { id } } }'
        assert (await face.gql(create, key=key))["data"]["createUser"]["user"]
        assert any(
            kept.path(one)[:3] == ["graphql createUser", "field createUser", "transaction"]
            for one in kept.named("INSERT app_user")
        )
        for one in kept.spans:
            if one.attributes.get("db.query.text"):
                assert one.kind is SpanKind.CLIENT
                assert one.attributes["db.system.name"] in ("sqlite", "postgresql")
        assert "736455918273" not in kept.text()

    async def test_a_traced_answer_is_the_same_answer(self, services, face):
        token = (await make_session(services, await make_user(services))).token
        plain = Face(services)
        for ask in ("{ me { id emails { address } } }", "{ a: me { x: id } server { name } }", "{"):
            told = [await one.gql(ask, token=token) for one in (face, plain)]
            for one in told:
                for error in one.get("errors", ()):
                    error.get("extensions", {}).pop("requestId", None)
            assert told[0] == told[1]


class TestErrors:
    async def test_a_refused_field_tells_the_kind_of_its_refusal(self, face, kept):
        answer = await face.gql("{ users { nodes { id } } }")
        assert answer["errors"]
        field = kept.one("field users")
        assert field.status.status_code is StatusCode.ERROR
        assert re.fullmatch(r"[A-Za-z]+", field.attributes["error.type"])
        assert kept.one("graphql users").status.status_code is StatusCode.UNSET

    async def test_a_sign_in_that_succeeds_has_no_span_that_failed(self, services, face, kept):
        """That the flow has a password hashed outside of its transaction is no failure."""
        await person(services)
        client = RestClient(face)
        await at_password(client)
        kept.forget()
        assert (await client.act("password_login", password=PASSWORD)).name == "success"
        assert len(kept.named("transaction")) >= 2
        failed = [one.name for one in kept.spans if one.status.status_code is StatusCode.ERROR]
        assert failed == []

    async def test_an_answer_of_the_500s_is_a_failure(self, services, kept, monkeypatch):
        async def away(*_, **__):
            raise Unavailable

        monkeypatch.setattr(type(services.sessions), "authenticate", away)
        answer = await Face(kept.on(services)).get("/me", token="eyJ.a.b")
        assert answer.status_code == 503
        request = kept.one("GET /me")
        assert request.status.status_code is StatusCode.ERROR
        assert request.attributes["error.type"] == "503"

    async def test_a_defect_is_told_without_its_words_sec_116(self, services, kept):
        class BrokenUsers(Users):
            async def create(self, *_, **__):
                async with transaction():
                    raise ValueError("secret736455918273")

        users = disguised(services.users, BrokenUsers)
        passwords = replace(services.passwords, users=users)
        broken = replace(services, users=users, passwords=passwords)
        key = await make_key(services)
        create = 'mutation { createUser(input: {username: "ada"}) { user { id } } }'
        answer = await Face(kept.on(broken)).gql(create, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
        for name in ("transaction", "field createUser"):
            (failed,) = [one for one in kept.named(name) if one.attributes.get("error.type")]
            assert failed.attributes["error.type"] == "ValueError"
            assert not failed.events
        assert "736455918273" not in kept.text()


class TestCallers:
    """A caller's own trace is anyone's header, so it counts only where that is configured."""

    async def test_a_callers_trace_is_not_believed(self, face, kept):
        await face.get("/me", headers={"traceparent": PARENT, "tracestate": "a=b"})
        assert kept.one("GET /me").context.trace_id != TRACE
        assert kept.one("GET /me").parent is None

    async def test_a_caller_cannot_switch_recording_off(self, face, kept):
        await face.get("/me", headers={"traceparent": UNSAMPLED})
        assert kept.named("GET /me")

    async def test_where_callers_are_trusted_their_trace_goes_on(self, services):
        kept = Kept(trust_callers=True)
        face = Face(kept.on(services))
        await face.get("/me", headers={"traceparent": PARENT, "tracestate": "a=b"})
        request = kept.one("GET /me")
        assert request.context.trace_id == TRACE
        assert f"{request.parent.span_id:016x}" == PARENT[36:52]
        kept.forget()
        await face.get("/me", headers={"traceparent": UNSAMPLED})
        assert not kept.spans

    @given(st.binary(max_size=80), st.binary(max_size=80))
    def test_no_header_breaks_the_answer(self, parent, state):
        for tracer in (Kept(trust_callers=True).tracer, Kept().tracer):
            caller = {
                "traceparent": parent.decode("latin-1"),
                "tracestate": state.decode("latin-1"),
            }
            begun = tracer.begin("request", "server", {}, caller)
            if begun is not None:
                begun.end()

    async def test_odd_headers_begin_a_trace_of_our_own(self, services):
        kept = Kept(trust_callers=True)
        face = Face(kept.on(services))
        for odd in (b"", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff\xfe", b"x" * 5000):
            answer = await exchange(face, "GET", "/me", [(b"traceparent", odd)])
            assert answer.status == 401
        assert len({one.context.trace_id for one in kept.named("GET /me")}) == 4


class TestWork:
    """What the worker does begins traces of its own, when there is something to do."""

    async def test_a_delivery_is_a_trace_with_its_outcome_and_without_its_path(
        self, services, kept
    ):
        async with serving(path736455918273=lambda _: Reply(status=500)) as there:
            hook, _ = await services.webhooks.create(
                SYSTEM, f"{there.url}/path736455918273", ("user",)
            )
            await services.events.record("user.create", {"id": "736455918273"})
            await services.dispatch.spread()
            with tracing(kept.tracer):
                await services.dispatch.deliver_next(hook.id)
        told = kept.one("webhook")
        assert (told.parent, told.kind) == (None, SpanKind.CONSUMER)
        assert dict(told.attributes) == {
            "error.type": "refused",
            "sekisho.event": "user.create",
            "sekisho.outcome": "refused",
            "sekisho.webhook": str(hook.id),
        }
        call = kept.one("POST")
        assert kept.path(call) == ["webhook", "POST"]
        assert dict(call.attributes) == {
            "http.request.method": "POST",
            "http.response.status_code": 500,
            "server.address": "127.0.0.1",
        }
        assert "736455918273" not in kept.text()

    async def test_a_mail_is_a_trace_without_its_recipient_or_code(self, services, kept):
        values = {"code": "736455918273"}
        ends = services.clock() + timedelta(hours=1)
        await services.mail.send("login", "ada@example.com", "en", values, expires_at=ends)
        with tracing(kept.tracer):
            outcome = await services.mail.deliver_next()
        assert outcome.kind == "sent"
        told = kept.one("mail")
        assert dict(told.attributes) == {
            "sekisho.mail.template": "login",
            "sekisho.outcome": "sent",
        }
        assert kept.path(kept.named("UPDATE mail_outbox")[-1])[0] == "mail"
        for hidden in ("736455918273", "ada@", "example.com"):
            assert hidden not in kept.text()

    async def test_a_worker_with_nothing_to_do_makes_no_span(self, services, kept):
        async with working(kept.on(services)):
            await services.mail.sweep()
        assert not kept.spans

    async def test_the_worker_traces_what_it_delivers(self, services, kept):
        ends = services.clock() + timedelta(hours=1)
        await services.mail.send("login", "a@example.com", "en", {"code": "1"}, expires_at=ends)
        async with working(kept.on(services)):
            while await fetch("SELECT 1 AS one FROM mail_outbox WHERE state = 'waiting'"):
                await services.mail.sweep()
        assert kept.named("mail")

    async def test_work_within_a_request_belongs_to_its_trace(self, services, face, kept):
        async with serving(hook=lambda _: Reply()) as there:
            hook, _ = await services.webhooks.create(SYSTEM, f"{there.url}/hook", ("user",))
            ping = "mutation ($id: ID!) { pingWebhook(webhookId: $id) { userErrors { code } } }"
            key = await make_key(services)
            answer = await face.gql(ping, {"id": str(hook.id)}, key=key)
        assert "errors" not in answer
        expected = ["graphql pingWebhook", "field pingWebhook", "webhook"]
        assert kept.path(kept.one("webhook")) == expected


class TestStatements:
    async def test_a_statement_is_told_without_its_parameters(self, services, kept):
        with tracing(kept.tracer), work("test"):
            await fetch_row("SELECT id FROM  app_user\n WHERE username = $1", "name736455918273")
            async with transaction(), savepoint():
                await fetch("DELETE FROM app_user WHERE username = $1", "name736455918273")
        told = kept.one("SELECT app_user")
        assert told.attributes["db.query.text"] == "SELECT id FROM app_user WHERE username = $1"
        assert kept.path(kept.one("DELETE app_user")) == ["test", "transaction", "DELETE app_user"]
        assert "736455918273" not in kept.text()

    async def test_a_statement_that_fails_tells_the_kind_of_its_error(self, services, kept):
        user = await make_user(services)
        named = {"id": user.id, "created_at": services.clock(), "updated_at": services.clock()}
        sql = f"INSERT INTO app_user ({', '.join(named)}) VALUES ($1, $2, $3)"
        with tracing(kept.tracer), work("test"), pytest.raises(NotUnique):
            await fetch(sql, *named.values())
        failed = kept.one("INSERT app_user")
        assert failed.status.status_code is StatusCode.ERROR
        assert failed.attributes["error.type"] == "NotUnique"
        assert kept.one("test").status.status_code is StatusCode.UNSET

    @pytest.mark.parametrize(
        ("sql", "name"),
        [
            ("\n SELECT a FROM b WHERE c = $1", "SELECT b"),
            ("INSERT INTO b (a) VALUES ($1)", "INSERT b"),
            ("UPDATE b SET a = $1 WHERE c IN (SELECT d FROM e)", "UPDATE b"),
            ("DELETE FROM b WHERE a IN (\nSELECT a FROM c\n)", "DELETE b"),
            ("SAVEPOINT savepoint_1", "SAVEPOINT"),
            ("SELECT 1 AS one", "SELECT"),
            ("", "SQL"),
        ],
    )
    def test_a_statement_is_named_by_its_verb_and_table(self, kept, sql, name):
        with tracing(kept.tracer), work("test"), statement(sql, "sqlite"):
            pass
        assert kept.one(name)


class TestLogs:
    async def test_lines_of_a_traced_request_name_its_trace(self, services, kept, access_lines):
        lines = access_lines(kept.on(services))
        await lines.face.get("/me")
        (line,) = lines.read()
        assert line["trace_id"] == f"{kept.one('GET /me').context.trace_id:032x}"

    async def test_others_name_none(self, services, access_lines):
        lines = access_lines(services)
        await lines.face.get("/me")
        (line,) = lines.read()
        assert "trace_id" not in line


@pytest.fixture
def access_lines(services):
    """A listener that keeps its access log."""

    class Lines:
        def __init__(self, using):
            self._stream = io.StringIO()
            self._log = RequestLog(self._stream)
            config = with_config(using, log=Log(requests=True))
            self.face = Face(replace(using, config=config), log=self._log)

        def read(self):
            self._log.flush()
            return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    return Lines


class TestOff:
    """Where nobody traces, a span is one object that does nothing."""

    async def test_nothing_is_made(self, services):
        assert services.tracer is None
        for part in (span("x"), statement("SELECT 1", "sqlite"), work("x")):
            assert part is NOTHING
        with span("x", {"a": 1}) as part:
            part.set("a", 1)
            part.rename("b")
            part.fail("c")
            part.end()
            assert not is_traced()
            assert trace_id() == ""

    async def test_an_error_goes_through(self):
        with pytest.raises(ValueError, match="x"), span("x"):
            raise ValueError("x")

    async def test_what_is_not_sampled_costs_nothing_below(self, services, monkeypatch):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        with tracing(Kept().tracer), work("test") as part:
            assert part is NOTHING
            assert span("x") is NOTHING
