"""The settings of what people sign in with: passkeys, second factors and passwords."""

from typing import Annotated, Literal

from msgspec import field

from app.config.section import Section, about
from app.config.values import Duration


class RelyingParty(Section, frozen=True):
    """Who asks for a WebAuthn credential."""

    id: Annotated[
        str,
        about("Effective domain; also the default audience. Empty: the host of the public URL."),
    ] = ""
    display_name: Annotated[str, about("Shown by authenticators.", min_length=1)] = "Sekisho"
    origins: Annotated[
        list[str],
        about(
            "Origins whose ceremonies count, exact: `https://app.example.com`, or "
            "`android:apk-key-hash:...` for an application. In development also the public URL's.",
            min_length=1,
        ),
    ] = field(default_factory=lambda: ["http://localhost:8888"])


MAX_CEREMONY = 600_000
"""Milliseconds that a challenge may live (SEC-044)."""


UserVerification = Literal["required", "preferred", "discouraged"]


AttestationPreference = Literal["direct", "indirect", "none"]


class WebAuthnTimeouts(Section, frozen=True):
    """How long a ceremony may take; the server holds to it as well."""

    registration: Annotated[
        int, about("Milliseconds to make a credential; 0 for ten minutes.", ge=0, le=MAX_CEREMONY)
    ] = MAX_CEREMONY
    login: Annotated[
        int, about("Milliseconds to use a credential; 0 for ten minutes.", ge=0, le=MAX_CEREMONY)
    ] = MAX_CEREMONY


class WebAuthn(Section, frozen=True):
    """WebAuthn."""

    relying_party: RelyingParty = field(default_factory=RelyingParty)
    timeouts: WebAuthnTimeouts = field(default_factory=WebAuthnTimeouts)


class Passkey(Section, frozen=True):
    """Passkeys: WebAuthn credentials that sign in."""

    enabled: Annotated[bool, about("Passkeys can be made and used.")] = True
    optional: Annotated[bool, about("A user may go without a passkey.")] = True
    acquire_on_registration: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for a passkey at registration; `conditional`: where no password was set."),
    ] = "always"
    acquire_on_login: Annotated[
        Literal["always", "conditional", "never"],
        about(
            "After sign-in, ask users without a passkey for one; `conditional`: only if they have "
            "no password either."
        ),
    ] = "always"
    limit: Annotated[int, about("Passkeys a user may have.", ge=0, le=100)] = 10
    attestation_preference: Annotated[
        AttestationPreference, about("How much of its maker an authenticator is asked to show.")
    ] = "direct"
    attestation_required: Annotated[
        bool,
        about("Refuse what no certificate of a maker speaks for; many passkeys have none."),
    ] = False
    user_verification: Annotated[
        UserVerification,
        about("Whether an authenticator is asked for a PIN or a feature of the body."),
    ] = "preferred"


class SecurityKeys(Section, frozen=True):
    """Security keys: WebAuthn credentials that are a second factor alone."""

    enabled: Annotated[
        bool, about("Security keys can be made and used.", env="MFA_SECURITYKEYS_ENABLED")
    ] = True
    limit: Annotated[
        int,
        about("Security keys a user may have.", ge=0, le=100, env="MFA_SECURITYKEYS_LIMIT"),
    ] = 10
    attestation_preference: Annotated[
        AttestationPreference,
        about(
            "How much of its maker a security key is asked to show.",
            env="MFA_SECURITYKEYS_ATTESTATION_PREFERENCE",
        ),
    ] = "direct"
    attestation_required: Annotated[
        bool,
        about(
            "Refuse a security key that no certificate of its maker speaks for.",
            env="MFA_SECURITYKEYS_ATTESTATION_REQUIRED",
        ),
    ] = False
    authenticator_attachment: Annotated[
        Literal["platform", "cross-platform", "no_preference"],
        about(
            "Where a security key may be: in the device, or apart from it.",
            env="MFA_SECURITYKEYS_AUTHENTICATOR_ATTACHMENT",
        ),
    ] = "cross-platform"
    user_verification: Annotated[
        UserVerification,
        about(
            "Whether a security key is asked for a PIN or a feature of the body.",
            env="MFA_SECURITYKEYS_USER_VERIFICATION",
        ),
    ] = "discouraged"


class TotpApps(Section, frozen=True):
    """Authenticator apps."""

    enabled: Annotated[bool, about("Authenticator apps count as a second factor.")] = True


class Mfa(Section, frozen=True):
    """Second factors."""

    enabled: Annotated[bool, about("Ask for a second factor at sign-in, and offer to add one.")] = (
        True
    )
    optional: Annotated[
        bool, about("A user may go without; when off, the last second factor cannot be removed.")
    ] = True
    acquire_on_login: Annotated[
        bool,
        about("Offer one after sign-in to users who have none.", env="MFA_ACQUIREONLOGIN"),
    ] = False
    acquire_on_registration: Annotated[
        bool, about("Offer one at registration.", env="MFA_ACQUIREONREGISTRATION")
    ] = True
    device_trust_policy: Annotated[
        Literal["always", "prompt", "never"],
        about(
            "Whether a browser that has shown a second factor is asked again: `always` trust it, "
            "`prompt` the user whether to, `never` trust any."
        ),
    ] = "prompt"
    device_trust_duration: Annotated[
        Duration, about("How long a browser is trusted.", env="MFA_DEVICETRUSTDURATION")
    ] = field(default_factory=lambda: Duration(hours=720))
    device_trust_cookie_name: Annotated[
        str,
        about(
            "Cookie that holds the tokens of trusted browsers.",
            min_length=1,
            max_length=64,
            env="MFA_DEVICETRUSTCOOKIENAME",
        ),
    ] = "hanko-device-token"
    device_trust_max_users_per_device: Annotated[
        int,
        about(
            "Users whom one browser can be trusted for; 0 for 20.",
            ge=0,
            le=30,
            env="MFA_DEVICETRUSTMAXUSERSPERDEVICE",
        ),
    ] = 20
    totp: TotpApps = field(default_factory=TotpApps)
    security_keys: SecurityKeys = field(default_factory=SecurityKeys)


class Argon2(Section, frozen=True):
    """What a password hash costs; memory times threads is what all of them take at once."""

    memory: Annotated[int, about("MiB that one hash takes.", ge=19, le=1024)] = 19
    iterations: Annotated[int, about("Passes over that memory.", ge=2, le=16)] = 2
    parallelism: Annotated[int, about("Lanes of one hash.", ge=1, le=16)] = 1


class PasswordHashing(Section, frozen=True):
    """How many passwords are hashed at once."""

    threads: Annotated[
        int, about("Threads that hash; 0 for one a core, and four at most.", ge=0, le=64)
    ] = 0
    queue: Annotated[
        int, about("Hashes that may wait for a thread; one more is answered 503.", ge=0, le=10_000)
    ] = 100


class BreachCheck(Section, frozen=True):
    """Where new passwords are looked up that have become known elsewhere."""

    url: Annotated[
        str,
        about(
            "An API that lists SHA-1 hashes by their first five digits, such as "
            "`https://api.pwnedpasswords.com/range`; it learns no more. Empty for none."
        ),
    ] = ""
    file: Annotated[
        str, about("A file of SHA-1 hashes in their order, one a line. Empty for none.")
    ] = ""
    timeout: Annotated[
        Duration, about("How long the API may take; without an answer nothing is refused.")
    ] = field(default_factory=lambda: Duration(seconds=2))
    allow_private_addresses: Annotated[
        bool, about("Let the API be inside your network, and be asked over http.")
    ] = False


class Password(Section, frozen=True):
    """Passwords."""

    enabled: Annotated[bool, about("Passwords can be set and used.")] = True
    optional: Annotated[bool, about("A user may go without a password.")] = False
    recovery: Annotated[bool, about("A forgotten password can be replaced by e-mail.")] = True
    min_length: Annotated[
        int,
        about(
            "Shortest password, in characters; 15 is advised where it alone signs in.",
            ge=8,
            le=72,
        ),
    ] = 8
    acquire_on_registration: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for a password at registration; `conditional`: where no passkey was made."),
    ] = "always"
    acquire_on_login: Annotated[
        Literal["always", "conditional", "never"],
        about(
            "After sign-in, ask users without a password for one; `conditional`: only if they have "
            "no passkey either."
        ),
    ] = "never"
    argon2: Argon2 = field(default_factory=Argon2)
    hashing: PasswordHashing = field(default_factory=PasswordHashing)
    breach_check: BreachCheck = field(default_factory=BreachCheck)
