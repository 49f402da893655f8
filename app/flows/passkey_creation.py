"""Making a passkey or a security key in a flow: the options, and what the browser made of them."""

from typing import Any

from app import strictjson
from app.credentials.errors import PasskeyInvalid, WebAuthnResponseInvalid
from app.credentials.passkey_values import Kind, Person
from app.credentials.webauthn_json import RegistrationResponse, read_registration
from app.credentials.webauthn_verify import NewCredential
from app.flows.errors import TechnicalError
from app.flows.step import Step
from app.flows.whose import credential_owner

Json = Any


async def creation_options(step: Step, kind: Kind, owner: Person | None = None) -> Json:
    """Begin a ceremony that this flow alone may finish (§6.2).

    Args:
        step: The step.
        kind: What is to be made.
        owner: Whom it is for; without it, whom the flow is about.

    Raises:
        TechnicalError: The flow knows neither an address nor a user name.
    """
    owner = owner or credential_owner(step)
    options = await step.domains.ceremonies.begin_registration(owner, kind, bound_to=step.flow_id)
    return {"publicKey": options}


async def verified(step: Step, value: Json) -> NewCredential | PasskeyInvalid:
    """Verify what a browser has made; it is kept by whoever has a user to keep it for."""
    response, user_id = read_response(value), step.stash.user_id
    if user_id is None:
        raise TechnicalError
    if response is None:
        return PasskeyInvalid()
    found = await step.domains.ceremonies.check_registration(
        step.actor, user_id, response, bound_to=step.flow_id
    )
    return found if isinstance(found, NewCredential) else PasskeyInvalid()


def read_response(value: Json) -> RegistrationResponse | None:
    """Read a new credential, which may be an object or the text of one; None where it is neither.

    Such a thing fails like a credential that is not good (§6.4).
    """
    try:
        given = strictjson.parse(value.encode()) if isinstance(value, str) else value
        return read_registration(given)
    except (WebAuthnResponseInvalid, strictjson.NotJson, UnicodeEncodeError):
        return None
