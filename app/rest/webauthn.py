"""WebAuthn by REST: make a passkey, sign in with one, look after one's own.

The options are what `PublicKeyCredential.parseCreationOptionsFromJSON` and its sibling take, and
the bodies what `toJSON()` gives, so that a page needs no code between the two.
"""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.datastructures import CacheControlHeader
from msgspec import Struct

from app.access import Actor
from app.config.check import JWKS_KEPT
from app.credentials.passkey_values import Kind, Person, Refused
from app.credentials.webauthn_json import read_assertion, read_registration
from app.rest.bodies import BodyInvalid, members
from app.rest.delivering import Delivering
from app.rest.given import Caller, Callers, PathText, Services, body
from app.rest.shapes import WebauthnCredential, credential
from app.selfservice import Oneself

Json = Any
_TEXT = {"type": "string"}
_BYTES = {"type": "string", "description": "Base64url without padding."}
_RESPONSE = {
    "id": _BYTES,
    "rawId": _BYTES,
    "type": {"const": "public-key"},
    "response": {"type": "object"},
}
_RESPONSE_PARTS = ("id", "rawId", "type", "response")
NothingData = Annotated[Any, body("An empty object.", {})]
KindData = Annotated[
    Any,
    body(
        "`mfa_only` asks for a security key, which is a second factor alone.",
        {"mfa_only": {"type": "boolean"}},
    ),
]
RegistrationData = Annotated[Any, body("A RegistrationResponseJSON.", _RESPONSE, *_RESPONSE_PARTS)]
AssertionData = Annotated[Any, body("An AuthenticationResponseJSON.", _RESPONSE, *_RESPONSE_PARTS)]
NameData = Annotated[Any, body("The new name.", {"name": _TEXT}, "name")]
_FRESH = CacheControlHeader(public=True, max_age=JWKS_KEPT)


class LoggedIn(Struct, frozen=True):
    """Who has signed in, and with what."""

    user_id: str
    credential_id: str


@get("/.well-known/webauthn", cache_control=_FRESH, tags=["webauthn"])
async def related_origins(services: Services) -> dict[str, list[str]]:
    """List the origins that may use this deployment's credentials (WebAuthn Level 3 §5.11)."""
    origins = services.config.webauthn.relying_party.origins
    return {"origins": [one for one in origins if one.startswith(("https://", "http://"))]}


@post("/webauthn/registration/initialize", status_code=HTTPStatus.OK, tags=["webauthn"])
async def begin_registration(data: KindData, services: Services, caller: Caller) -> dict[str, Json]:
    """Give the options for `navigator.credentials.create`. Needs a session."""
    session_id, kind = _recent(services, caller), _kind(data)
    await services.rate_limits.charge(
        "ceremony", address=caller.actor.origin.address, actor=caller.actor
    )
    person = await _person(services, caller)
    options: dict[str, Json] = await services.ceremonies.begin_registration(
        person, kind, bound_to=session_id
    )
    return options


@post("/webauthn/registration/finalize", status_code=HTTPStatus.CREATED, tags=["webauthn"])
async def finish_registration(
    data: RegistrationData, services: Services, caller: Caller
) -> WebauthnCredential:
    """Keep the credential that the browser has made. Needs the session that began."""
    session_id, response = _recent(services, caller), read_registration(data)
    await services.rate_limits.charge(
        "passkey", address=caller.actor.origin.address, actor=caller.actor
    )
    outcome = await services.own_credentials.finish_passkey(_me(caller), response, session_id)
    if isinstance(outcome, Refused):
        raise outcome.error
    return credential(outcome.passkey)


@post("/webauthn/login/initialize", status_code=HTTPStatus.OK, tags=["webauthn"])
async def begin_login(data: NothingData, services: Services, caller: Caller) -> dict[str, Json]:
    """Give the options for `navigator.credentials.get`; they name no credential (SEC-054).

    No second factor can follow here, so the passkey has to be both: the user must be verified.
    """
    members(data)
    await services.rate_limits.charge(
        "ceremony", address=caller.actor.origin.address, actor=caller.actor
    )
    options: dict[str, Json] = await services.ceremonies.begin_login(both_factors=True)
    return options


@post("/webauthn/login/finalize", status_code=HTTPStatus.OK, tags=["webauthn"])
async def finish_login(
    data: AssertionData, services: Services, caller: Caller, callers: Callers
) -> Response[LoggedIn]:
    """Begin a session for who has the passkey, in place of the one this request bears (SEC-026)."""
    actor, response = Actor(origin=caller.actor.origin), read_assertion(data)
    await services.rate_limits.charge(
        "passkey", address=caller.actor.origin.address, actor=caller.actor
    )
    outcome = await services.ceremonies.finish_login(actor, response)
    if isinstance(outcome, Refused):
        raise outcome.error
    issued = await services.at_once.sign_in_by_passkey(caller.actor, outcome)
    shown = LoggedIn(str(outcome.user_id), outcome.passkey.credential_id)
    return Delivering(shown, callers.cookie.delivery(issued))


@get("/webauthn/credentials", tags=["webauthn"])
async def credentials(services: Services, caller: Caller) -> list[WebauthnCredential]:
    """List one's own passkeys and security keys, oldest first."""
    found = await services.passkeys.list(caller.actor.require_user())
    return [credential(one) for one in found]


@patch("/webauthn/credentials/{credential_id:str}", tags=["webauthn"])
async def rename(
    credential_id: PathText, data: NameData, services: Services, caller: Caller
) -> WebauthnCredential:
    """Call one's own credential something else; nobody else's is there (SEC-054)."""
    user_id = caller.actor.require_user()
    name = members(data, "name").get("name")
    if not isinstance(name, str):
        raise BodyInvalid("name is a required field", path=("name",))
    return credential(await services.passkeys.rename(caller.actor, user_id, credential_id, name))


@delete("/webauthn/credentials/{credential_id:str}", tags=["webauthn"])
async def delete_credential(credential_id: PathText, services: Services, caller: Caller) -> None:
    """Give up one's own credential, if one can still sign in; nobody else's is there (SEC-054)."""
    _recent(services, caller)
    await services.own_credentials.delete_passkey(_me(caller), credential_id)


def _recent(services: Services, caller: Caller) -> UUID:
    """See that the session has begun lately, where that is asked for (SEC-037); give its id."""
    session_id = caller.actor.require_session()
    services.self_service.require_recent_sign_in(caller.signed_in)
    return session_id


def _me(caller: Caller) -> Oneself:
    return Oneself(caller.actor)


async def _person(services: Services, caller: Caller) -> Person:
    """Say how an authenticator is to show the signed-in user."""
    user_id = caller.actor.require_user()
    emails = (await services.users.emails_of([user_id]))[user_id]
    email = next((one.address for one in emails if one.is_primary), None)
    username = caller.signed_in.account.username if caller.signed_in else None
    either = email or username or str(user_id)
    return Person(user_id, either, username or either)


def _kind(data: Json) -> Kind:
    mfa_only = members(data, "mfa_only").get("mfa_only", False)
    if not isinstance(mfa_only, bool):
        raise BodyInvalid("mfa_only is true or false", path=("mfa_only",))
    return "security_key" if mfa_only else "passkey"
