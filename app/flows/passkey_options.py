"""Options for the browser's credential calls, as states show them."""

from typing import Any
from uuid import UUID

from app.flows.step import Step

Json = Any


async def passkey_options(step: Step, user_id: UUID | None) -> Json:
    """Begin a login by passkey: with one of this user's, or with whichever the device offers."""
    return {"publicKey": await step.domains.ceremonies.begin_login(user_id, bound_to=step.flow_id)}


async def offer_passkeys_in_form(step: Step) -> None:
    """Let the sign-in form offer passkeys; the challenge is new whenever it is shown."""
    stash = step.stash
    if stash.webauthn_available and stash.conditional_mediation and step.config.passkey.enabled:
        step.show(request_options=await passkey_options(step, None))
