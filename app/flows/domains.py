"""What the steps of flows may call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.audit import AuditLog
from app.clock import Clock
from app.config.sections import Config
from app.credentials.passcodes import Passcodes
from app.credentials.passkey_ceremonies import PasskeyCeremonies
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.federation.service import Federation
from app.mail import Mail
from app.metadata import Metadata
from app.ratelimit import RateLimits
from app.selfservice import OwnCredentials, SelfService
from app.sessions import Sessions
from app.users import Users
from app.webhooks import Events

if TYPE_CHECKING:  # it brings the packages of an extra
    from app.federation.saml.service import Saml


@dataclass(frozen=True, slots=True)
class Domains:
    """The services that the steps of flows are made of."""

    config: Config
    clock: Clock
    audit: AuditLog
    events: Events
    mail: Mail
    users: Users
    metadata: Metadata
    passwords: Passwords
    passkeys: Passkeys
    ceremonies: PasskeyCeremonies
    passcodes: Passcodes
    totp: Totp
    recovery_codes: RecoveryCodes
    trusted_devices: TrustedDevices
    rate_limits: RateLimits
    sessions: Sessions
    federation: Federation
    saml: "Saml | None"
    self_service: SelfService
    own_credentials: OwnCredentials
