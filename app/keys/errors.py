"""What can be wrong with a key or a signature."""

from app.errors import IdentityError, Unauthenticated


class KeysUnreadable(IdentityError):
    """Stored keys cannot be opened, or there is no secret to seal new ones with (SEC-120)."""

    code = "keys_unreadable"
    message = "No configured encryption secret opens the stored keys."


class TokenInvalid(Unauthenticated):
    """A token is not one that this deployment has signed, or not of the kind asked for."""

    code = "token_invalid"
    message = "The token is not valid."
