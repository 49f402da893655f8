"""The printed description of the JSON endpoints: it is current, whole, and what the server does."""

import json
import re
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest
from click.testing import CliRunner
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from faces.clients import ORIGIN, PEER
from factories import make_identity, make_key, make_session, make_user
from hypothesis import Phase, given, settings
from litestar import Router

from app.access import SCOPES, SYSTEM
from app.cli.configuration import schema
from app.config import Config
from app.credentials.totp import Accepted
from app.http import Listener
from app.rest import document, routes

ROOT = Path(__file__).parents[2]
PRINTED = {"admin": "openapi.json", "public": "openapi-public.json"}
KEY = "secret_key"


class Asked(NamedTuple):
    """An endpoint: its method and its path, as the description writes it."""

    method: str
    path: str

    def __str__(self) -> str:
        """Name it, for the name of a test."""
        return f"{self.method} {self.path}"


def endpoints(listener):
    """What a listener has, from where it is built."""
    for one in routes(Listener(listener, Config())):
        found = one.routes if isinstance(one, Router) else [one]
        for route in found:
            paths = [route.path] if isinstance(one, Router) else one.paths
            methods = route.methods if isinstance(one, Router) else one.http_methods
            for path in paths:
                spelled = path.replace(":str}", "}")
                yield from (Asked(method, spelled) for method in methods if method != "OPTIONS")


FREE = ("/health", "/metrics", "/mailbox")
FOR_KEYS = sorted(one for one in endpoints("admin") if not one.path.startswith(FREE))


FOR_SESSIONS = {
    Asked("GET", "/me"),
    Asked("GET", "/users/{user_id}"),
    Asked("POST", "/logout"),
    Asked("GET", "/webauthn/credentials"),
    Asked("PATCH", "/webauthn/credentials/{credential_id}"),
    Asked("DELETE", "/webauthn/credentials/{credential_id}"),
    Asked("POST", "/webauthn/registration/initialize"),
    Asked("POST", "/webauthn/registration/finalize"),
}
BODIES = {
    "/webauthn/credentials/{credential_id}": {"name": "x"},
    "/webauthn/registration/initialize": {},
    "/webauthn/registration/finalize": {},
}


def operations(described):
    """What is described: method and path, and the description."""
    return {
        Asked(method.upper(), path): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }


@pytest.fixture(scope="module")
def described():
    return document("admin")


class TestPrinted:
    @pytest.mark.parametrize("listener", PRINTED)
    def test_the_description_is_printed_as_it_stands_in_the_repository(self, listener):
        name = PRINTED[listener]
        printed = CliRunner().invoke(schema, ["openapi", "--listener", listener])
        assert printed.exit_code == 0
        told = f"run `sekisho schema openapi --listener {listener} > docs/{name}`"
        assert (ROOT / "docs" / name).read_text() == printed.output, told

    @pytest.mark.one_database
    async def test_a_listener_serves_the_description_of_itself(self, public, admin):
        for face, listener in ((public, "public"), (admin, "admin")):
            answer = await face.get("/schema/openapi.json")
            assert answer.status_code == 200
            served, printed = answer.json(), json.loads(json.dumps(document(listener)))
            assert served["paths"] == printed["paths"]
            assert served["components"] == printed["components"]


class TestWhole:
    def test_every_endpoint_is_described_and_no_other(self, described):
        assert set(operations(described)) == set(endpoints("admin"))

    def test_it_is_openapi_3_1(self, described):
        assert described["openapi"].startswith("3.1")
        scheme = described["components"]["securitySchemes"][KEY]
        assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")

    def test_every_operation_has_a_name_of_its_own(self, described):
        names = [one["operationId"] for one in operations(described).values()]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize("asked", FOR_KEYS, ids=str)
    def test_an_endpoint_for_keys_says_which_scope_and_what_it_refuses_with(self, described, asked):
        operation = operations(described)[asked]
        ((scope,),) = [one[KEY] for one in operation["security"]]
        assert scope in SCOPES
        assert f"`{scope}`" in operation["description"]
        answers = operation["responses"]
        assert {"400", "401", "403", "503"} <= set(answers)
        assert ("requestBody" in operation) == ({"413", "415"} <= set(answers))
        assert ("{" in asked.path) <= ("404" in answers)
        refusals = [one for status, one in answers.items() if status >= "400"]
        ref = {"$ref": "#/components/schemas/Problem"}
        assert all(one["content"]["application/json"]["schema"] == ref for one in refusals)

    def test_an_endpoint_for_sessions_says_so_and_that_it_refuses_without_one(self):
        described = document("public")
        known = {*described["components"]["securitySchemes"]} - {KEY}
        assert known == {"session", "session_cookie"}
        for asked, operation in operations(described).items():
            if asked not in FOR_SESSIONS:
                assert all(KEY in one for one in operation.get("security", []))
                continue
            assert {name for one in operation["security"] for name in one} == known
            assert {"401", "default"} <= set(operation["responses"])

    @pytest.mark.one_database
    @pytest.mark.parametrize("asked", sorted(FOR_SESSIONS), ids=str)
    async def test_what_is_for_sessions_is_refused_without_one(self, public, asked):
        path = asked.path.format(user_id=uuid4(), credential_id="YQ")
        body = BODIES.get(asked.path, ...)
        answer = await public.call(asked.method, path, body)
        assert answer.status_code == 401

    def test_references_lead_somewhere(self, described):
        schemas = described["components"]["schemas"]
        named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
        assert named == set(schemas)


@pytest.fixture(scope="module")
def generated(described):
    """What Schemathesis makes of the description; it is loaded here since that takes its time."""
    from schemathesis import openapi  # noqa: PLC0415  # see above

    loaded = openapi.from_dict(json.loads(json.dumps(described)))
    found = [one.ok() for one in loaded.get_all_operations()]
    return {Asked(one.method.upper(), one.path): one for one in found}


def checks():
    """What an answer is held against."""
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415  # see above
    from schemathesis.specs.openapi import checks as of_openapi  # noqa: PLC0415

    return [
        not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.content_type_conformance,
        of_openapi.response_headers_conformance,
        of_openapi.response_schema_conformance,
    ]


def cases(operation, count, *, wrong=True):
    """So many requests as they are described, and as many that are not, the same every time."""
    from schemathesis import GenerationMode  # noqa: PLC0415  # see above

    can_be_wrong = wrong and (operation.body or operation.query)
    found = []
    for mode in list(GenerationMode) if can_be_wrong else [GenerationMode.POSITIVE]:

        @given(operation.as_strategy(mode))
        @settings(max_examples=count, phases=[Phase.generate], derandomize=True)
        def keep(case):
            found.append(case)

        keep()
    return found


async def sent(face, case, key=None):
    """Send what was made up to the listener in this process, with this key or with none."""
    import requests  # noqa: PLC0415  # Schemathesis writes its requests so

    made = requests.Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
    made.headers.pop("authorization", None)
    if key is not None:
        made.headers["authorization"] = f"Bearer {key}"
    transport = httpx.ASGITransport(face.gate, client=PEER)
    async with httpx.AsyncClient(transport=transport) as client:
        lines = list(made.headers.items())
        return await client.request(made.method, made.url, headers=lines, content=made.body or b"")


async def there(services):
    """Ids that something has, by the names that paths and bodies give them."""
    user = await make_user(services, public={"a": 1}, private={"s": 1}, name="Ada")
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    session = (await make_session(services, user)).session
    identity = await make_identity(services, user)
    await services.passwords.set(SYSTEM, user.id, "correct horse battery")
    await services.totp.store(SYSTEM, user.id, "JBSWY3DPEHPK3PXP", Accepted(1))
    passkey = await passkey_of(services, user.id, Authenticator())
    hook, _ = await services.webhooks.create(SYSTEM, "https://a.example/hook", ("user",))
    return {
        "user_id": str(user.id),
        "email_id": str(email.id),
        "session_id": str(session.id),
        "identity_id": str(identity.id),
        "credential_id": passkey.credential_id,
        "webhook_id": str(hook.id),
    }


def fitting(asked, known):
    """A body that is taken, where a made-up one hardly ever is."""
    bodies = {
        "POST /users": {"username": "grace", "name": "Grace", "public_metadata": {"a": 1}},
        "POST /api/server/v1/users": {"email": "grace@example.com", "privateMetadata": {"s": 1}},
        "POST /sessions": {"user_id": known["user_id"], "ip_address": "192.0.2.1"},
        "PUT /users/{user_id}/password": {"password": "another horse battery"},
        "PUT /webhooks/{webhook_id}": {
            "callback": "https://b.example/",
            "events": ["user.delete"],
            "enabled": False,
        },
    }
    return bodies.get(str(asked))


@pytest.mark.one_database
class TestWhatTheServerDoes:
    @pytest.mark.parametrize("asked", FOR_KEYS, ids=str)
    async def test_every_answer_is_one_that_is_described(self, services, admin, generated, asked):
        """SEC-097, SEC-098: whatever is sent, half of it to what is there."""
        key, known = await make_key(services), await there(services)
        for number, case in enumerate(cases(generated[asked], 10)):
            if number % 2:
                here = case.path_parameters.keys() & known.keys()
                case.path_parameters |= {name: known[name] for name in here}
            if number == 1:
                case.body = fitting(asked, known) or case.body
            answer = await sent(admin, case, key)
            case.validate_response(answer, checks=checks())
            assert answer.status_code not in (401, 403)

    @pytest.mark.parametrize("asked", FOR_KEYS, ids=str)
    async def test_without_a_key_nothing_is_answered_but_401(self, admin, generated, asked):
        """SEC-012"""
        for case in cases(generated[asked], 3):
            answer = await sent(admin, case)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            case.validate_response(answer, checks=checks())

    @pytest.mark.parametrize("asked", FOR_KEYS, ids=str)
    async def test_the_scope_that_is_described_is_the_one_that_is_asked_for(
        self, services, admin, described, asked
    ):
        """SEC-015"""
        scope = operations(described)[asked]["security"][0][KEY][0]
        user_id = (await there(services))["user_id"]
        path = re.sub(r"\{\w+\}", user_id, asked.path)
        body = {} if "requestBody" in operations(described)[asked] else ...
        others = await make_key(services, *(set(SCOPES) - {scope}))
        assert (await admin.call(asked.method, path, body, key=others)).status_code == 403
        alone = await make_key(services, scope)
        assert (await admin.call(asked.method, path, body, key=alone)).status_code not in (401, 403)
