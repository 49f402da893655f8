"""WebAuthn by REST: make a passkey, sign in with one, look after one's own.

The options are what `PublicKeyCredential.parseCreationOptionsFromJSON` and its sibling take, and
the bodies what `toJSON()` gives, so that a page needs no code between the two.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from litestar import Response, delete, get, patch, post
from litestar.datastructures import CacheControlHeader
from msgspec import Struct

from app.access import Actor
from app.config.check import JWKS_KEPT
from app.credentials.passkey_values import Kind, Passkey, Person, Refused
from app.credentials.webauthn_json import read_assertion, read_registration, written
from app.rest.bodies import BodyInvalid
from app.rest.delivering import Delivering
from app.rest.given import Caller, Callers, PathText, Services, body
from app.sessions import SignIn

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


class Credential(Struct, frozen=True, omit_defaults=True):
    """A passkey or security key, in the reference's shape."""

    id: str
    public_key: str
    attestation_type: str
    aaguid: str
    created_at: datetime
    transports: list[str]
    backup_eligible: bool
    backup_state: bool
    mfa_only: bool
    name: str | None = None
    last_used_at: datetime | None = None


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
    session_id, person = caller.actor.require_session(), await _person(services, caller)
    options: dict[str, Json] = await services.passkeys.begin_registration(
        person, _kind(data), bound_to=session_id
    )
    return options


@post("/webauthn/registration/finalize", status_code=HTTPStatus.CREATED, tags=["webauthn"])
async def finish_registration(
    data: RegistrationData, services: Services, caller: Caller
) -> Credential:
    """Keep the credential that the browser has made. Needs the session that began."""
    actor = caller.actor
    user_id, session_id = actor.require_user(), actor.require_session()
    outcome = await services.passkeys.finish_registration(
        actor, user_id, read_registration(data), bound_to=session_id
    )
    if isinstance(outcome, Refused):
        raise outcome.error
    return _credential(outcome.passkey)


@post("/webauthn/login/initialize", status_code=HTTPStatus.OK, tags=["webauthn"])
async def begin_login(data: NothingData, services: Services) -> dict[str, Json]:
    """Give the options for `navigator.credentials.get`; they name no credential (SEC-054).

    No second factor can follow here, so the passkey has to be both: the user must be verified.
    """
    _members(data)
    options: dict[str, Json] = await services.passkeys.begin_login(both_factors=True)
    return options


@post("/webauthn/login/finalize", status_code=HTTPStatus.OK, tags=["webauthn"])
async def finish_login(
    data: AssertionData, services: Services, caller: Caller, callers: Callers
) -> Response[LoggedIn]:
    """Begin a session for who has the passkey, in place of the one this request bears (SEC-026)."""
    actor = Actor(origin=caller.actor.origin)
    outcome = await services.passkeys.finish_login(actor, read_assertion(data))
    if isinstance(outcome, Refused):
        raise outcome.error
    how = SignIn(("passkey",), replacing=caller.actor.session)
    issued = await services.sessions.issue(actor, outcome.user_id, actor.origin, how)
    shown = LoggedIn(str(outcome.user_id), outcome.passkey.credential_id)
    return Delivering(shown, callers.cookie.delivery(issued))


@get("/webauthn/credentials", tags=["webauthn"])
async def credentials(services: Services, caller: Caller) -> list[Credential]:
    """List one's own passkeys and security keys, oldest first."""
    found = await services.passkeys.list(caller.actor.require_user())
    return [_credential(one) for one in found]


@patch("/webauthn/credentials/{credential_id:str}", tags=["webauthn"])
async def rename(
    credential_id: PathText, data: NameData, services: Services, caller: Caller
) -> Credential:
    """Call one's own credential something else; nobody else's is there (SEC-054)."""
    user_id = caller.actor.require_user()
    name = _members(data, "name").get("name")
    if not isinstance(name, str):
        raise BodyInvalid("name is a required field", path=("name",))
    return _credential(await services.passkeys.rename(caller.actor, user_id, credential_id, name))


@delete("/webauthn/credentials/{credential_id:str}", tags=["webauthn"])
async def delete_credential(credential_id: PathText, services: Services, caller: Caller) -> None:
    """Delete one's own credential; nobody else's is there (SEC-054)."""
    user_id = caller.actor.require_user()
    await services.passkeys.delete(caller.actor, user_id, credential_id)


async def _person(services: Services, caller: Caller) -> Person:
    """Say how an authenticator is to show the signed-in user."""
    user_id = caller.actor.require_user()
    emails = (await services.users.emails_of([user_id]))[user_id]
    email = next((one.address for one in emails if one.is_primary), None)
    username = caller.signed_in.account.username if caller.signed_in else None
    either = email or username or str(user_id)
    return Person(user_id, either, username or either)


def _kind(data: Json) -> Kind:
    mfa_only = _members(data, "mfa_only").get("mfa_only", False)
    if not isinstance(mfa_only, bool):
        raise BodyInvalid("mfa_only is true or false", path=("mfa_only",))
    return "security_key" if mfa_only else "passkey"


def _members(data: Json, *known: str) -> dict[str, Json]:
    """Read an object that has no member but those that are known."""
    if not isinstance(data, dict):
        raise BodyInvalid
    unknown = next((name for name in data if name not in known), None)
    if unknown is not None:
        raise BodyInvalid(path=(unknown[:100],))
    return data


def _credential(passkey: Passkey) -> Credential:
    return Credential(
        id=passkey.credential_id,
        public_key=written(passkey.public_key),
        attestation_type=passkey.attestation_type,
        aaguid=str(passkey.aaguid),
        created_at=passkey.created_at,
        transports=list(passkey.transports),
        backup_eligible=passkey.is_backup_eligible,
        backup_state=passkey.is_backed_up,
        mfa_only=passkey.is_mfa_only,
        name=passkey.name,
        last_used_at=passkey.last_used_at,
    )
