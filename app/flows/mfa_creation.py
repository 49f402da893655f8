"""Setting up a second factor (§3.6)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from app.credentials.totp import Accepted, Malformed
from app.errors import IdentityError
from app.flows.definition import SubFlow
from app.flows.errors import FormDataInvalid, PasscodeInvalid, TechnicalError, ValueInvalid
from app.flows.inputs import Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse
from app.flows.passkey_creation import creation_options
from app.flows.scheduling import makes_security_keys
from app.flows.states import (
    MfaMethodChooser,
    MfaOtpSecretCreation,
    MfaSecurityKeyCreation,
    OnboardingVerifyPasskeyAttestation,
)
from app.flows.step import Action, GoBack, Step
from app.flows.whose import called, is_to_be_made, oneself


class ContinueToOtpSecretCreation(Action, frozen=True):
    """Set up an authenticator app."""

    name: ClassVar[str] = "continue_to_otp_secret_creation"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where apps count."""
        return step.config.mfa.totp.enabled

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(MfaOtpSecretCreation)


class ContinueToSecurityKeyCreation(Action, frozen=True):
    """Set up a security key."""

    name: ClassVar[str] = "continue_to_security_key_creation"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where keys count and the device can make one."""
        return makes_security_keys(step.config, step.stash)

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go there."""
        return Move(MfaSecurityKeyCreation)


class SkipMfa(Action, frozen=True):
    """Set up no second factor."""

    name: ClassVar[str] = "skip"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where a user may go without."""
        return step.config.mfa.optional

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go on."""
        return Move()


async def offer_otp_secret(step: Step) -> None:
    """Show a secret; the same as long as the person remains in the state (SEC-055).

    Raises:
        TechnicalError: The flow knows no user.
    """
    stash = step.stash
    account = called(stash)
    if not account:
        raise TechnicalError
    offer = step.domains.totp.offer(account, stash.otp_secret or None)
    stash.otp_secret = offer.secret
    step.show(otp_secret=offer.secret, otp_image_source=offer.png)


class OtpCodeVerify(Action, frozen=True):
    """Enter a code of the app."""

    name: ClassVar[str] = "otp_code_verify"
    validates: ClassVar[bool] = False
    otp_code: Annotated[str, Meta(description="The six digits.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the code."""
        return (Input("otp_code", required=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where apps count."""
        return step.config.mfa.totp.enabled

    async def run(self, step: Step) -> Outcome:
        """See that the app has the secret; only then is it the user's (SEC-055)."""
        stash = step.stash
        proof = step.domains.totp.prove(stash.otp_secret, self.otp_code)
        if not isinstance(proof, Accepted):
            malformed = isinstance(proof, Malformed)
            error: IdentityError = ValueInvalid() if malformed else PasscodeInvalid()
            return Refuse(FormDataInvalid(), {"otp_code": Problem(error)})
        stash.has = msgspec.structs.replace(stash.has, otp_secret=True)
        stash.enrolled_second_factor = True
        if is_to_be_made(step):
            stash.otp_step = proof.step
        else:
            await _store(step, proof)
        return Move(no_back=True)


async def _store(step: Step, proof: Accepted) -> None:
    """Give the user the app, and tell them of it (SEC-037)."""
    stash = step.stash
    if stash.user_id is None:
        raise TechnicalError
    me = oneself(step, stash.user_id)
    await step.domains.own_credentials.store_totp(me, stash.otp_secret, proof)
    stash.otp_secret = ""


class GenerateSecurityKeyCreationOptions(Action, frozen=True):
    """Make a security key."""

    name: ClassVar[str] = "webauthn_generate_creation_options"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where the client knows WebAuthn."""
        return step.stash.webauthn_available

    async def run(self, step: Step) -> Outcome:
        """Have the browser make one that is a second factor alone."""
        step.stash.create_mfa_only = True
        options = await creation_options(step, "security_key")
        return Move(OnboardingVerifyPasskeyAttestation(creation_options=options))


MFA_CREATION = SubFlow(
    "mfa_creation",
    {
        MfaMethodChooser: (
            ContinueToOtpSecretCreation,
            ContinueToSecurityKeyCreation,
            SkipMfa,
            GoBack,
        ),
        MfaOtpSecretCreation: (OtpCodeVerify, GoBack),
        MfaSecurityKeyCreation: (GenerateSecurityKeyCreationOptions, GoBack),
    },
    before={MfaOtpSecretCreation: (offer_otp_secret,)},
)
