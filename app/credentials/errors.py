"""Why a credential is refused."""

from typing import ClassVar

from app.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable


class PasswordRefused(Invalid):
    """A new password breaks a rule; `min_length` is what a form shows beside its field.

    Args:
        min_length: Characters a password must have.
        message: A sentence in place of the leaf's own, where it can be more exact.
    """

    breached: ClassVar[bool] = False

    def __init__(self, min_length: int, message: str | None = None) -> None:
        super().__init__(message, path=("password",))
        self.min_length = min_length


class PasswordTooShort(PasswordRefused):
    """It has fewer characters than the configuration asks for."""

    code = "password_too_short"
    message = "The password is too short."


class PasswordTooLong(PasswordRefused):
    """It is longer than what is hashed."""

    code = "password_too_long"
    message = "A password has at most 1024 bytes."


class PasswordUnreadable(PasswordRefused):
    """It is no text: half of a surrogate pair stands in it."""

    code = "password_unreadable"
    message = "The password holds half of a surrogate pair."


class PasswordTooCommon(PasswordRefused):
    """Many people have chosen it before."""

    code = "password_too_common"
    message = "The password is one of the most common ones."


class PasswordGuessable(PasswordRefused):
    """It is the service's name, or what the user is addressed by."""

    code = "password_guessable"
    message = "The password is made of the name of the service or of the user."


class PasswordBreached(PasswordRefused):
    """It stands in a collection of passwords that have become known."""

    code = "password_breached"
    message = "The password has become known elsewhere."
    breached = True


class PasswordsDisabled(Conflict):
    """This deployment has no passwords."""

    code = "passwords_disabled"
    message = "Passwords are switched off."


class PasswordGivenTwice(Invalid):
    """A new user brings a password and a hash."""

    code = "password_given_twice"
    message = "Give a password or the hash of one, not both."

    def __init__(self) -> None:
        super().__init__(path=("password_hash",))


class PasswordHashInvalid(Invalid):
    """The hash is in no format that is listed, or is malformed."""

    code = "password_hash_invalid"
    message = "The password hash is in no format that can be imported."

    def __init__(self) -> None:
        super().__init__(path=("password_hash",))


class PasswordHashTooCostly(Invalid):
    """To check the hash would take more time or memory than one sign-in may."""

    code = "password_hash_too_costly"
    message = "The password hash takes too much time or memory to check."

    def __init__(self) -> None:
        super().__init__(path=("password_hash",))


class PasswordExists(Conflict):
    """The user has one, and it was not to be replaced."""

    code = "password_exists"
    message = "The user has a password already."

    def __init__(self) -> None:
        super().__init__(path=("user_id",))


class PasswordNotFound(NotFound):
    """The user has none."""

    message = "The user has no password."

    def __init__(self) -> None:
        super().__init__(path=("user_id",))


class HashingOverloaded(Unavailable):
    """As many passwords wait to be hashed as may (SEC-123)."""

    code = "overloaded"
    message = "The server has too much to do; try again in a moment."
    retry_after = 1


class WebAuthnResponseInvalid(Invalid):
    """What should be an answer of a browser's WebAuthn is none."""

    code = "webauthn_response_invalid"
    message = "This is no WebAuthn response as a browser writes it."


class PasskeyInvalid(Unauthenticated):
    """A ceremony has failed; whoever ran it is not told at which step."""

    code = "passkey_invalid"
    message = "The passkey could not be verified."


class MfaOnlyCredential(Unauthenticated):
    """A security key was used where a first factor is asked for."""

    code = "webauthn_credential_invalid_mfa_only"
    message = "This security key is a second factor; sign in another way first."


class PasskeyNotFound(NotFound):
    """No such credential, or not this user's."""

    message = "There is no such passkey."

    def __init__(self) -> None:
        super().__init__(path=("credential_id",))


class PasskeyLimitReached(Conflict):
    """As many of a kind as the configuration allows."""

    code = "passkey_limit_reached"
    message = "The user has as many passkeys or security keys as are allowed."


class PasskeyNameInvalid(Invalid):
    """A name that nobody could read in a list."""

    code = "passkey_name_invalid"
    message = "A passkey's name has 1 to 100 characters, none of them invisible."

    def __init__(self) -> None:
        super().__init__(path=("name",))


class PasskeysDisabled(Conflict):
    """This deployment has no credentials of this kind."""

    code = "passkeys_disabled"
    message = "Credentials of this kind are switched off."


class TotpExists(Conflict):
    """A user has one app at most."""

    code = "totp_exists"
    message = "The user has an authenticator app already; remove it first."


class TotpNotFound(NotFound):
    """The user has none."""

    message = "The user has no authenticator app."

    def __init__(self) -> None:
        super().__init__(path=("user_id",))


class TrustedDeviceNotFound(NotFound):
    """No such browser, or not this user's."""

    message = "There is no such trusted device."

    def __init__(self) -> None:
        super().__init__(path=("device_id",))
