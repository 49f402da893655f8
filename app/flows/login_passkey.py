"""Login by passkey, and a security key or a passkey as the second factor."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from app import strictjson
from app.credentials.errors import WebAuthnResponseInvalid
from app.credentials.passkey_values import Accepted, Refused
from app.credentials.webauthn_json import AssertionResponse, read_assertion
from app.flows.inputs import Input
from app.flows.login_init import has_passkey
from app.flows.outcomes import End, Move, Outcome, Stay
from app.flows.passkey_options import passkey_options
from app.flows.proving import prove
from app.flows.states import LoginPasskey, LoginSecurityKey
from app.flows.step import Action, Step
from app.flows.whose import take_attempt, too_often

Json = Any
_ANOTHER_USER = "user"


class WebauthnGenerateRequestOptions(Action, frozen=True):
    """Sign in with a passkey."""

    name: ClassVar[str] = "webauthn_generate_request_options"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client and the configuration know passkeys."""
        return step.stash.webauthn_available and step.config.passkey.enabled

    async def run(self, step: Step) -> Outcome:
        """Let the device offer whichever it has."""
        return Move(LoginPasskey(request_options=await passkey_options(step, None)))


class ChooseWebauthnGenerateRequestOptions(WebauthnGenerateRequestOptions, frozen=True):
    """Sign in with a passkey."""

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it, unless only what the account has may be shown and it has no passkey."""
        if not super().offered(step):
            return False
        return not _is_bound(step) or has_passkey(step)

    async def run(self, step: Step) -> Outcome:
        """Offer those of the account, or whichever the device has."""
        user_id = step.stash.user_id if _is_bound(step) else None
        return Move(LoginPasskey(request_options=await passkey_options(step, user_id)))


def _is_bound(step: Step) -> bool:
    only = step.config.privacy.only_show_actual_login_methods
    return only and step.stash.user_id is not None


class WebauthnVerifyAssertionResponse(Action, frozen=True):
    """Send what the authenticator has signed."""

    name: ClassVar[str] = "webauthn_verify_assertion_response"
    assertion_response: Annotated[
        Json, Meta(description="The PublicKeyCredential, as its `toJSON` writes it.")
    ] = None

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the assertion."""
        return (Input("assertion_response", "json", required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn and such a credential is in use."""
        is_in_use = step.config.passkey.enabled or step.came_from(LoginSecurityKey)
        return step.stash.webauthn_available and is_in_use

    async def run(self, step: Step) -> Outcome:
        """Verify it: as the second factor where one was asked for, else as the whole login.

        It is counted for the network alone: no stranger uses up what an account has (SEC-072).
        """
        limited = await step.outside("attempt", lambda: take_attempt(step, "passkey", ""))
        if limited is not None:
            return Stay(too_often(limited))
        response = _read(self.assertion_response)
        is_second = step.came_from(LoginSecurityKey)
        found = await self._judged(step, response, is_second=is_second)
        if isinstance(found, Refused):
            if found.reason == _ANOTHER_USER:
                return End(found.error)
            return Stay(found.error)
        if is_second:
            step.stash.mfa_method = "security_key"
        else:
            await _sign_in(step, found)
        return Move(no_back=True)

    @staticmethod
    async def _judged(
        step: Step, response: AssertionResponse | None, *, is_second: bool
    ) -> Accepted | Refused:
        ceremonies, user_id = step.domains.ceremonies, step.stash.user_id
        if response is None:
            return await _unreadable(step)
        if is_second and user_id is not None:
            return await ceremonies.finish_second_factor(
                step.actor, user_id, response, bound_to=step.flow_id
            )
        return await ceremonies.finish_login(step.actor, response, bound_to=step.flow_id)


async def _sign_in(step: Step, found: Accepted) -> None:
    stash = step.stash
    stash.login_method = "passkey"
    stash.passkey_used = found.passkey.id
    stash.passkey_verified_user = found.is_user_verified
    stash.email = stash.email if stash.user_id == found.user_id else ""
    stash.user_id = found.user_id
    await prove(step)


async def _unreadable(step: Step) -> Refused:
    details = {"login_method": "passkey"}
    subject = step.stash.user_id
    await step.domains.audit.record("login_failure", step.actor, subject=subject, details=details)
    return Refused("unreadable")


def _read(value: Json) -> AssertionResponse | None:
    """Read an assertion, which may be an object or the text of one."""
    try:
        return read_assertion(strictjson.parse(value.encode()) if isinstance(value, str) else value)
    except (WebAuthnResponseInvalid, strictjson.NotJson, UnicodeEncodeError):
        return None
