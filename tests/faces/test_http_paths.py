"""Nothing of the admin surface opens by another spelling of its path (SEC-108)."""

from itertools import product
from urllib.parse import unquote
from uuid import uuid4

import pytest
from faces.clients import exchange
from factories import make_session, make_user

from app.access import SYSTEM
from app.persistence import fetch

pytestmark = pytest.mark.one_database

JSON = (b"content-type", b"application/json")
SENTINEL = "sentinel-736455918273"
BODY = b'{"public_metadata": {"changed": 1}}'


def spellings(path):
    """Other ways to write a path that a careless server takes for the same."""
    first, _, rest = path.lstrip("/").partition("/")
    yield from (path, path + "/", path + "//", "/" + path, "//" + path, path.replace("/", "//"))
    yield from (path.upper(), path.title(), path.replace("metadata", "Metadata"))
    yield from (f"/.{path}", f"/./{path[1:]}", f"/x/..{path}", f"/%2e{path}", f"/%2e%2e{path}")
    yield from (path.replace("/", "/./"), path.replace("/", "/x/../"), f"/health/..{path}")
    yield from (f"/health/%2e%2e{path}", f"/me/..%2f{path[1:]}", f"/graphql/../{path[1:]}")
    yield from (
        path.replace("/", "%2f"),
        path.replace("/", "%2F"),
        "/" + path[1:].replace("/", "%2f"),
    )
    yield from (f"/{first}%2f{rest}", path.replace("/", "%252f"), path.replace("/", "\\"))
    yield from ("/" + "".join(f"%{ord(c):02x}" for c in path[1:]), path.replace("u", "%75"))
    yield from (path + "%20", path + "%00", path + "\0", path + ";x", path + ".json", path + "%3f")
    yield from (path + "?x", path + "#x", path + "/.", path + "/x/..", path + "%2f", path + "..;/")
    yield from (f"/admin{path}", f"/public{path}", f"/{uuid4()}{path}", f"/api{path}", path + "*")
    yield from (f"http://localhost:8001{path}", f"//localhost:8001{path}", path[1:], "*" + path)
    yield from (path.replace("users", "users\u200b"), path.replace("e", "\uff45"), path + "\n")


async def all_of(table):
    return str(await fetch(f"SELECT * FROM {table}"))


@pytest.fixture
async def ada(services):
    return await make_user(services, public={"p": SENTINEL}, private={"s": SENTINEL})


async def test_the_public_listener_has_no_admin_endpoint_however_it_is_spelled(
    services, public, ada, key
):
    token = (await make_session(services, ada)).token
    bearing = [
        [],
        [(b"authorization", f"Bearer {token}".encode())],
        [(b"cookie", f"hanko={token}".encode())],
        [(b"authorization", f"Bearer {key}".encode())],
    ]
    bags = await all_of("user_metadata")
    for path in {*spellings(f"/users/{ada.id}/metadata")}:
        for credentials in bearing:
            for method in ("GET", "PATCH", "POST", "PUT"):
                answer = await exchange(public, method, unquote(path), [JSON, *credentials], [BODY])
                assert answer.status in (400, 401, 404, 405), (method, path)
                assert SENTINEL.encode() not in answer.body
    assert await all_of("user_metadata") == bags


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_no_spelling_of_a_path_saves_the_key(request, services, ada, listener):
    face = request.getfixturevalue(listener)
    token = (await make_session(services, ada)).token
    kept = [await all_of(table) for table in ("user_metadata", "app_user", "email")]
    wanted = [
        ("GET", f"/api/server/v1/users/{ada.id}"),
        ("PATCH", f"/api/server/v1/users/{ada.id}/metadata"),
        ("POST", "/api/server/v1/users"),
        ("GET", f"/users/{ada.id}/metadata"),
        ("PATCH", f"/users/{ada.id}/metadata"),
        ("POST", "/users"),
        ("DELETE", f"/users/{ada.id}"),
        ("POST", f"/users/{ada.id}/emails"),
    ]
    for method, plain in wanted:
        for path in {*spellings(plain)}:
            for credentials in ([], [(b"cookie", f"hanko={token}".encode())]):
                answer = await exchange(face, method, unquote(path), [JSON, *credentials], [BODY])
                assert answer.status in (400, 401, 403, 404, 405), (method, path)
                assert b"736455918273" not in answer.body
    assert [await all_of(table) for table in ("user_metadata", "app_user", "email")] == kept


async def test_an_id_with_a_slash_in_it_walks_nowhere(services, admin, public, ada, key):
    """SEC-099: what a client writes as part of an id is not the end of one."""
    await services.passwords.set(SYSTEM, ada.id, "correct horse battery")
    wanted = (
        (admin, "DELETE", f"/users/{ada.id}|password"),
        (admin, "GET", f"/users/{ada.id}|metadata"),
        (admin, "GET", f"/users|{ada.id}"),
        (public, "GET", f"/api/server/v1/users|{ada.id}"),
        (public, "GET", "/health|alive"),
    )
    for slash, (face, method, path) in product(("%2f", "%2F", "%5c", "%5C"), wanted):
        answer = await face.call(method, path.replace("|", slash), key=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert await services.passwords.of(ada.id)


async def test_the_paths_that_are_guarded_do_exist(admin, ada, key):
    """The walks above would find nothing on a listener without endpoints."""
    bearing = [JSON, (b"authorization", f"Bearer {key}".encode())]
    for path in (f"/users/{ada.id}/metadata", f"/api/server/v1/users/{ada.id}"):
        answer = await exchange(admin, "GET", path, bearing)
        assert (answer.status, SENTINEL.encode() in answer.body) == (200, True)


async def test_the_admin_listener_has_nothing_for_browsers(admin, public, services, ada):
    token = (await make_session(services, ada)).token
    for path in ("/me", "/sessions/validate", f"/users/{ada.id}", "/.well-known/jwks.json"):
        assert (await public.get(path, token=token)).status_code == 200
        refused = 403 if path.startswith("/users") else 404  # there, a user is for secret keys
        assert (await admin.get(path, token=token)).status_code == refused
    for path in ("/logout", "/sessions/validate"):
        assert (await admin.post(path, {"session_token": token}, token=token)).status_code == 404


async def test_the_admin_listener_sets_no_cookie_and_allows_no_origin(services, admin, ada, key):
    token = (await make_session(services, ada)).token
    headers = {"origin": "http://localhost:8888"}
    asked = [
        await admin.ask("mutation { signOut { deletedId } }", token=token, headers=headers),
        await admin.ask("{ me { id } }", token="x", headers=headers),
        await admin.ask(
            "mutation ($u: ID!) { createUserSession(userId: $u) { token } }",
            {"u": str(ada.id)},
            key=key,
            headers=headers,
        ),
        await admin.post("/logout", cookie="x", headers=headers),
        await admin.call("OPTIONS", "/graphql", headers=headers),
        await admin.get("/graphql", headers={"accept": "text/html", **headers}),
    ]
    assert asked[0].json()["data"]["signOut"]["deletedId"]
    for answer in asked:
        names = {name.lower() for name in answer.headers}
        assert "set-cookie" not in names
        assert not [name for name in names if name.startswith("access-control-")]


async def test_the_description_of_the_public_listener_names_no_admin_endpoint(public, admin):
    described = (await public.get("/schema/openapi.json")).json()["paths"]
    assert "/users/{user_id}/metadata" not in described
    assert not described.keys() & {"/users", "/users/{user_id}/emails", "/sessions", "/webhooks"}
    assert {"/me", "/logout", "/sessions/validate", "/api/server/v1/users"} <= described.keys()
    assert "/users/{user_id}/metadata" in (await admin.get("/schema/openapi.json")).json()["paths"]


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_what_is_refused_for_its_method_says_which_there_are(request, services, listener):
    face = request.getfixturevalue(listener)
    for method, path, allowed in (
        ("GET", "/graphql", {"POST"}),
        ("DELETE", "/api/server/v1/users", {"POST"}),
        ("POST", "/health/alive", {"GET", "HEAD"}),
    ):
        answer = await face.call(method, path)
        assert answer.status_code == 405
        given = {name.strip() for name in answer.headers["allow"].split(",")}
        assert allowed <= given
        assert method not in given


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_an_unknown_path_is_404_in_the_one_shape(request, services, listener):
    face = request.getfixturevalue(listener)
    for path in ("/", "/nowhere", "/user", "/tokens", "/emails", "/flowpilot/x", "/metric"):
        answer = await face.get(path)
        assert answer.status_code == 404
        body = answer.json()
        assert (body["code"], body["error"]["code"]) == (404, "not_found")
        assert path not in answer.text or path == "/"


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_beside_the_description_there_is_no_page(request, services, listener):
    face = request.getfixturevalue(listener)
    assert (await face.get("/schema/openapi.json")).status_code == 200
    for path in ("/schema/swagger", "/schema/redoc", "/schema/x.json"):
        answer = await face.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
