"""The tables of credentials."""

from piccolo.columns import UUID, BigInt, Boolean, Text, Timestamptz
from piccolo.table import Table


class PasswordRow(Table, tablename="user_password"):
    """A user's password as a hash; its id changes with the password, and not with an upgrade."""

    user_id = UUID(primary_key=True)
    id = UUID()
    hash = Text(secret=True)
    imported = Boolean()
    """Whether the hash is of the password as it was typed, by somebody else's rules."""
    changed_at = Timestamptz()


class WebAuthnCredentialRow(Table, tablename="webauthn_credential"):
    """A passkey, or a security key that is a second factor alone; bytes are kept as base64url."""

    id = UUID(primary_key=True)
    user_id = UUID()
    credential_id = Text()
    public_key = Text()
    sign_count = BigInt()
    aaguid = UUID()
    attestation_type = Text()
    transports = Text()
    is_backup_eligible = Boolean()
    is_backed_up = Boolean()
    is_mfa_only = Boolean()
    name = Text(null=True, default=None)
    created_at = Timestamptz()
    last_used_at = Timestamptz(null=True, default=None)


class WebAuthnChallengeRow(Table, tablename="webauthn_challenge"):
    """A ceremony that has begun; whoever takes the row away may finish it (SEC-044)."""

    digest = Text(primary_key=True)
    purpose = Text()
    user_id = UUID(null=True, default=None)
    bound_to = UUID(null=True, default=None)
    is_mfa_only = Boolean()
    needs_verification = Boolean()
    offered = Text(null=True, default=None)
    """Ids of the credentials that the options named, between spaces."""
    expires_at = Timestamptz()


class PasscodeRow(Table, tablename="passcode"):
    """The code that a flow waits for, as a keyed hash over what it is bound to (SEC-039)."""

    flow_id = UUID(primary_key=True)
    user_id = UUID(null=True, default=None)
    bound_to = Text()
    digest = Text(secret=True)
    tries = BigInt()
    created_at = Timestamptz()
    expires_at = Timestamptz()


class GuessCountRow(Table, tablename="guess_count"):
    """Wrong codes in succession; the digest is of an account and of what kind the codes are."""

    digest = Text(primary_key=True)
    guesses = BigInt()
    expires_at = Timestamptz()


class TotpRow(Table, tablename="user_totp"):
    """A user's authenticator app; `last_step` is the newest time step that was used (SEC-056)."""

    user_id = UUID(primary_key=True)
    id = UUID()
    sealed_secret = Text(secret=True)
    last_step = BigInt()
    created_at = Timestamptz()


class RecoveryCodeRow(Table, tablename="user_recovery_code"):
    """A recovery code that has not been used."""

    digest = Text(primary_key=True, secret=True)
    user_id = UUID()
    created_at = Timestamptz()


class TrustedDeviceRow(Table, tablename="trusted_device"):
    """A browser that need not show a second factor again."""

    id = UUID(primary_key=True)
    user_id = UUID()
    digest = Text(secret=True)
    user_agent = Text(null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz()
