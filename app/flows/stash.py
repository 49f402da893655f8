"""What a flow remembers between two steps; none of it is ever shown to, or taken from, a client."""

import copy
from typing import Literal, Self
from uuid import UUID

from msgspec import Struct

from app.mail import Template

LoginMethod = Literal["password", "passkey", "passcode", "third_party"]
MfaMethod = Literal["totp", "security_key", "recovery_code"]


class Has(Struct, frozen=True, omit_defaults=True):
    """What the user of a flow has, as far as the flow knows."""

    password: bool = False
    passkey: bool = False
    security_key: bool = False
    otp_secret: bool = False
    username: bool = False
    emails: bool = False

    @property
    def webauthn_credential(self) -> bool:
        """Whether there is a WebAuthn credential of either kind."""
        return self.passkey or self.security_key

    @property
    def second_factor(self) -> bool:
        """Whether a second factor is enrolled."""
        return self.security_key or self.otp_secret


class Stash(Struct, kw_only=True, omit_defaults=True):
    """The memory of one flow. Its values are never changed in place, so a copy is a snapshot."""

    # The device, as the client tells
    webauthn_available: bool = False
    conditional_mediation: bool = False
    platform_authenticator: bool = False
    security_key_attachment: bool = False

    # What the first request has wished for in mails
    language: str = ""
    browser_language: str = ""

    # Who it is about
    identification: str = ""
    email: str = ""
    username: str = ""
    locale: str = ""
    user_id: UUID | None = None
    has: Has = Has()
    stamp: int | None = None
    """The account's security stamp, from a first factor on."""

    # How they sign in
    login_method: LoginMethod | None = None
    mfa_method: MfaMethod | None = None
    third_party_provider: str = ""
    identity_id: UUID | None = None
    is_new: bool = False
    passkey_used: UUID | None = None
    passkey_verified_user: bool = False
    has_recovery_codes: bool = False
    trusted_device: bool = False
    device_trust_granted: bool = False
    remember_me: bool = False

    # Codes by mail; who has no address may be treated like somebody who reads mail (SEC-066)
    template: Template | None = None
    owner_locale: str = ""
    """The locale of who has the address that a stranger has typed; the mail to them goes by it."""
    seems_to_have_mail: bool = False
    email_verified: bool = False
    recovery_pending: bool = False

    # What registration and onboarding have gathered
    new_password_hash: str = ""
    new_credentials: tuple[str, ...] = ()
    create_mfa_only: bool = False
    otp_secret: str = ""
    otp_step: int | None = None
    create_email: bool = False
    skip_user_creation: bool = False
    used_passcode: bool = False

    # What happens once
    onboarding_scheduled: bool = False
    enrolled_second_factor: bool = False

    # A profile flow: the session that opened it (SEC-060)
    session_id: UUID | None = None

    @property
    def gets_codes(self) -> bool:
        """Whether there is a user, and an address that a code reaches them at."""
        return self.user_id is not None and bool(self.email)

    @property
    def can_be_mailed(self) -> bool:
        """Whether a code can be mailed, or has to look as if it could."""
        return bool(self.email) or self.seems_to_have_mail

    @property
    def by_provider(self) -> bool:
        """Whether a provider has said who it is."""
        return self.login_method == "third_party"

    def snapshot(self) -> Self:
        """Give a copy that later changes leave alone."""
        return copy.copy(self)
