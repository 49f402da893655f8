"""What can be wrong with a key or a signature."""

from app.errors import Conflict, IdentityError, NotFound, Unauthenticated, Unavailable


class KeysUnreadable(IdentityError):
    """Stored keys cannot be opened, or there is no secret to seal new ones with (SEC-120)."""

    code = "keys_unreadable"
    message = "No configured encryption secret opens the stored keys."


class KmsPackageMissing(IdentityError):
    """A key is in AWS KMS, and the package that speaks to it is not installed."""

    code = "kms_package_missing"
    message = "AWS KMS needs the package boto3; install sekisho[aws]."


class TokenInvalid(Unauthenticated):
    """A token is not one that this deployment has signed, or not of the kind asked for."""

    code = "token_invalid"
    message = "The token is not valid."


class SigningKeyNotFound(NotFound):
    """No such key."""

    message = "There is no such signing key."

    def __init__(self) -> None:
        super().__init__(path=("kid",))


class NextKeyPending(Conflict):
    """There is a next key already, and two would be in each other's way."""

    code = "signing_key_pending"
    message = "There is a next signing key already."


class SigningKeyActive(Conflict):
    """The key signs, and without it nothing would."""

    code = "signing_key_active"
    message = "This key signs; only force retires it, and puts a new one in its place."


class KmsKeyUnfit(Conflict):
    """The key in AWS KMS cannot sign tokens."""

    code = "kms_key_unfit"
    message = (
        "The AWS KMS key does not sign tokens; "
        "it must be for SIGN_VERIFY and of ECC_NIST_P256, RSA_2048, RSA_3072 or RSA_4096."
    )


class SignerUnavailable(Unavailable):
    """What holds the private key refuses, does not answer, or answers nonsense."""

    message = "The service that signs tokens is not available at the moment."
