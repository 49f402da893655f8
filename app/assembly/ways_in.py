"""What users prove who they are with: the services of credentials."""

from dataclasses import dataclass

from app.assembly.ground import Ground
from app.credentials.guessing import Guesses
from app.credentials.passcodes import Passcodes
from app.credentials.passkey_ceremonies import PasskeyCeremonies
from app.credentials.passkeys import Passkeys
from app.credentials.password_breaches import Breaches
from app.credentials.password_hashing import PasswordHasher
from app.credentials.password_policy import PasswordPolicy
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.credentials.webauthn_challenges import Challenges
from app.credentials.webauthn_verify import RelyingParty
from app.keyedhash import KeyedHash
from app.users import Users


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What users prove who they are with."""

    passwords: Passwords
    passkeys: Passkeys
    ceremonies: PasskeyCeremonies
    guesses: Guesses
    passcodes: Passcodes
    trusted_devices: TrustedDevices
    totp: Totp
    recovery_codes: RecoveryCodes


def ways_in_of(ground: Ground, users: Users) -> WaysIn:
    """Build what users prove who they are with."""
    config, audit, clock = ground.config, ground.audit, ground.clock
    guesses = Guesses(KeyedHash(ground.secrets, "guesses"), clock)
    passcodes = KeyedHash(ground.secrets, "passcodes")
    passkeys = Passkeys(config.passkey, config.mfa.security_keys, audit, clock)
    trusted_devices = TrustedDevices(config.mfa, audit, clock)
    return WaysIn(
        passwords=_passwords(ground, users),
        passkeys=passkeys,
        ceremonies=_ceremonies(ground, passkeys),
        guesses=guesses,
        passcodes=Passcodes(config.email, passcodes, guesses, clock),
        trusted_devices=trusted_devices,
        totp=Totp(config.service.name, ground.sealer, guesses, trusted_devices, audit, clock),
        recovery_codes=RecoveryCodes(guesses, audit, clock),
    )


def _passwords(ground: Ground, users: Users) -> Passwords:
    config = ground.config
    return Passwords(
        config.password,
        PasswordPolicy(config.password.min_length, config.service.name),
        PasswordHasher(config.password),
        Breaches(config.password.breach_check),
        users,
        ground.audit,
        ground.clock,
    )


def _ceremonies(ground: Ground, passkeys: Passkeys) -> PasskeyCeremonies:
    config = ground.config
    relying_party = RelyingParty(
        config.relying_party_id,
        config.webauthn.relying_party.display_name,
        tuple(config.relying_party_origins),
    )
    challenges, timeouts = Challenges(ground.clock), config.webauthn.timeouts
    return PasskeyCeremonies(
        relying_party, timeouts, passkeys, challenges, ground.audit, ground.clock
    )
