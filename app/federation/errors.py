"""Why a sign-in at a provider is refused. The codes are those that the error redirect carries."""

import re
from typing import ClassVar

from app.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable

_ERROR = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST = 500
SERVER_ERROR = ("server_error", "an internal error has occurred")
"""What a redirect tells of everything that is nobody else's business."""


class Described:
    """A refusal that the error redirect tells in words that frontends may know."""

    description: ClassVar[str] = ""


class InvalidRequest(Invalid, Described):
    """Something of the round trip to the provider is not as it must be."""

    code = "invalid_request"
    message = "The sign-in at the provider cannot be used."


class StateMissing(InvalidRequest):
    """The answer names no sign-in."""

    message = "The answer names no sign-in."
    description = "state is a required field"


class BrowserUnknown(InvalidRequest):
    """The browser shows no secret; none has begun a sign-in lately (SEC-074)."""

    message = "This browser has not begun a sign-in lately."
    description = "expected state must not be empty"


class StateUnverified(InvalidRequest):
    """Nothing was begun under this state in this browser, or it has been used (SEC-074)."""

    message = "This browser has begun no such sign-in, or it is over."
    description = "could not verify state"


class StateExpired(InvalidRequest):
    """The sign-in took too long."""

    message = "The sign-in took too long."
    description = "state is expired"


class ProviderUnknown(InvalidRequest):
    """No such provider is configured."""

    message = "There is no such provider."
    description = "unknown provider"


class ProviderDisabled(InvalidRequest):
    """The provider is switched off (SEC-084)."""

    message = "The provider is switched off."
    description = "provider is disabled"


class IssuerMismatch(InvalidRequest):
    """The answer is not that of the provider that was asked (RFC 9207; SEC-079)."""

    message = "The answer is not that of the provider that was asked."
    description = "the response is not from the expected issuer"


class CodeMissing(InvalidRequest):
    """The answer brings no authorization code."""

    message = "The answer brings no authorization code."
    description = "auth code missing from request"


class CodeNotExchanged(InvalidRequest):
    """The provider gives nothing for the code."""

    message = "The provider gives nothing for the authorization code."
    description = "could not exchange authorization code for access token"


class UserDataUnusable(InvalidRequest):
    """What the provider tells of the person is refused (SEC-076, SEC-077)."""

    message = "What the provider tells of the person cannot be used."
    description = "could not retrieve user data from provider"


class IdTokensNotTaken(InvalidRequest):
    """The provider issues no ID tokens that an application could bring."""

    message = "The provider issues no ID tokens that an application could bring."


class NonceUnknown(InvalidRequest):
    """The nonce was not given out here, has expired, or was used (SEC-076)."""

    message = "The nonce was not given out here, has expired, or was used."


class IdentityOfAnother(InvalidRequest):
    """The identity belongs to somebody else."""

    message = "The identity belongs to another user."
    description = "identity already exists for a different user"


class AddressOutsideDomain(InvalidRequest):
    """A SAML provider vouches for an address that is not its own (SEC-092)."""

    message = "The provider vouches for an address that is not in its domain."


class RedirectNotAllowed(Invalid):
    """The target is not on the list (SEC-082)."""

    code = "redirect_not_allowed"
    message = "The target is not an allowed one."

    def __init__(self) -> None:
        super().__init__(path=("redirect_to",))


class CodeChallengeInvalid(Invalid):
    """A PKCE verifier or challenge breaks RFC 7636."""

    code = "code_challenge_invalid"
    message = "This is no PKCE verifier or S256 challenge (RFC 7636)."


class ProviderRefused(InvalidRequest):
    """The provider, or the person there, has refused; the browser learns it in its words.

    Args:
        error: The provider's code, such as `access_denied`.
        description: What it says of it, which nobody vouches for.
    """

    message = "The provider has refused."

    def __init__(self, error: str, description: str = "") -> None:
        plain = "".join(one for one in description[:_LONGEST] if one.isprintable())
        super().__init__(plain or None)
        self.error = error if _ERROR.fullmatch(error) else self.code


class UserConflict(Conflict, Described):
    """Somebody has the address, and the identity may not join the account (SEC-064, SEC-081)."""

    code = "user_conflict"
    message = "A user has the address, and the identity may not join the account."
    description = "third party account linking for existing user with same email disallowed"


class MultipleAccounts(Conflict, Described):
    """The address at the provider has become one that another account has."""

    code = "multiple_accounts"
    message = "The address at the provider has become one that another user has."
    description = "cannot identify associated user: multiple accounts found"


class UnverifiedEmail(Conflict, Described):
    """The provider does not vouch for the address, which somebody has here (SEC-081)."""

    code = "unverified_email"
    message = "The provider does not vouch for the address."
    description = "third party provider email must be verified"


class EmailMaxnum(Conflict, Described):
    """The account cannot take the address that the identity has now."""

    code = "email_maxnum"
    message = "The user has as many e-mail addresses as are allowed."
    description = "max number of email addresses reached"


class SignupDisabled(Conflict, Described):
    """Nobody has the identity, and there is no signing up."""

    code = "signup_disabled"
    message = "There is no signing up."
    description = "account signup is disabled"


class TokenUnknown(Invalid):
    """The exchange token is none, was used, has expired, or is for another purpose (SEC-065)."""

    code = "exchange_token_invalid"
    message = "The token is not valid here, or no longer."


class VerifierMismatch(Invalid):
    """The exchange token is bound to another PKCE verifier, or to nothing (SEC-065)."""

    code = "code_verifier_mismatch"
    message = "The code verifier is not the one of the start."

    def __init__(self) -> None:
        super().__init__(path=("code_verifier",))


class FlowRequired(Forbidden):
    """The sign-in needs further steps; the token is as good as before (SEC-032)."""

    code = "flow_required"
    message = "Finish this sign-in in the flow /token_exchange."


class IdentityNotFound(NotFound):
    """No such identity, or not this user's."""

    message = "There is no such identity."

    def __init__(self) -> None:
        super().__init__(path=("identity_id",))


class ProviderUnreachable(Unavailable):
    """The provider does not answer, or not in time."""

    code = "provider_unreachable"
    message = "The provider does not answer."
