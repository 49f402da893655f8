"""What REST answers look like: the reference's shapes, and those of the backend API.

Where the reference leaves out what is empty, the field has a default and the struct leaves it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from app import base64url
from app.config.sections import Mfa
from app.credentials.passkey_values import Passkey
from app.federation.connector import Provider
from app.federation.identities import Identity
from app.metadata import Bags
from app.sessions import Issued, Sessions, SignedIn
from app.users import Account, Email

Json = Any
_EMPTY = "{}"
_STANDARD = {
    "sub": "subject",
    "exp": "expiration",
    "iat": "issued_at",
    "aud": "audience",
    "iss": "issuer",
}


_NAMES = _STANDARD.keys() | _STANDARD.values()


class NamedBags(Struct, frozen=True, omit_defaults=True):
    """Bags as the reference names them; an empty one is left out."""

    public_metadata: Json = None
    private_metadata: Json = None
    unsafe_metadata: Json = None


class ProfileUsername(Struct, frozen=True):
    """A user name in a profile."""

    id: str
    username: str
    created_at: datetime
    updated_at: datetime


class ProfileIdentity(Struct, frozen=True):
    """Who the user is at a provider: `id` is what the provider calls them."""

    id: str
    provider: str
    identity_id: str


class ProfileEmail(Struct, frozen=True, omit_defaults=True):
    """An address in a profile, and the identities that stand for it.

    Attributes:
        identity: The first of them, for older clients.
    """

    id: str
    address: str
    is_verified: bool
    is_primary: bool
    identity: ProfileIdentity | None = None
    identities: list[ProfileIdentity] = field(default_factory=list)


class MfaConfig(Struct, frozen=True):
    """Which second factors there are."""

    auth_app_set_up: bool = False
    totp_enabled: bool = False
    security_keys_enabled: bool = False


class WebauthnCredential(Struct, frozen=True, omit_defaults=True):
    """A passkey or security key, in the reference's shape."""

    id: str
    public_key: str
    attestation_type: str
    aaguid: str
    created_at: datetime
    transports: list[str]
    backup_eligible: bool
    backup_state: bool
    mfa_only: bool
    name: str | None = None
    last_used_at: datetime | None = None


class Profile(Struct, frozen=True, omit_defaults=True):
    """The signed-in user, as `GET /me` and the flows show them."""

    id: str
    user_id: str
    mfa_config: MfaConfig
    created_at: datetime
    updated_at: datetime
    passkeys: list[WebauthnCredential] = field(default_factory=list)
    security_keys: list[WebauthnCredential] = field(default_factory=list)
    emails: list[ProfileEmail] = field(default_factory=list)
    username: ProfileUsername | None = None
    identities: list[ProfileIdentity] = field(default_factory=list)
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    metadata: NamedBags | None = None


class OlderProfile(Struct, frozen=True, omit_defaults=True):
    """The signed-in user, as `GET /users/{id}` showed them to older clients."""

    id: str
    created_at: datetime
    updated_at: datetime
    webauthn_credentials: list[Json]
    email: str | None = None
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    metadata: NamedBags | None = None


class BackendEmail(Struct, frozen=True, rename="camel"):
    """An address, as a backend sees it."""

    id: str
    address: str
    is_primary: bool
    is_verified: bool


class BackendUser(Struct, frozen=True, kw_only=True, rename="camel"):
    """A user, as a backend sees them; profile and private bag where its key may read them."""

    id: str
    username: str | None | msgspec.UnsetType = msgspec.UNSET
    name: str | None | msgspec.UnsetType = msgspec.UNSET
    given_name: str | None | msgspec.UnsetType = msgspec.UNSET
    family_name: str | None | msgspec.UnsetType = msgspec.UNSET
    picture: str | None | msgspec.UnsetType = msgspec.UNSET
    locale: str | None | msgspec.UnsetType = msgspec.UNSET
    emails: list[BackendEmail] | msgspec.UnsetType = msgspec.UNSET
    public_metadata: Json
    unsafe_metadata: Json
    metadata_version: int
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None | msgspec.UnsetType = msgspec.UNSET
    private_metadata: Json | msgspec.UnsetType = msgspec.UNSET


class Validation(Struct, frozen=True, omit_defaults=True):
    """Whether a token is a live session, and what it says."""

    is_valid: bool
    claims: dict[str, Json] | None = None
    expiration_time: datetime | None = None
    user_id: str | None = None
    idle_expires_at: datetime | None = None
    session_token: str | None = None


class Refreshed(Struct, frozen=True, omit_defaults=True):
    """How long the new token and its session live, and the tokens where they are not in cookies."""

    expiration_time: datetime
    session_expiration_time: datetime
    session_token: str | None = None
    refresh_token: str | None = None


def named_bags(bags: Bags, private: str | None = None) -> NamedBags:
    """Show bags as the reference does."""
    return NamedBags(_shown(bags.public), _shown(private or _EMPTY), _shown(bags.unsafe))


@dataclass(frozen=True, slots=True)
class Factors:
    """What a user signs in with, and what the configuration lets be shown of it."""

    passkeys: Sequence[Passkey]
    has_totp: bool
    mfa: Mfa
    shows_passkeys: bool


def profile(
    account: Account,
    emails: Sequence[Email],
    bags: Bags,
    factors: Factors,
    identities: Sequence[tuple[Identity, Provider]] = (),
) -> Profile:
    """Show the signed-in user, with the identities at providers that are on."""
    mfa, credentials = factors.mfa, factors.passkeys
    passkeys = [one for one in credentials if factors.shows_passkeys and not one.is_mfa_only]
    keys = [one for one in credentials if mfa.security_keys.enabled and one.is_mfa_only]
    user_id = str(account.id)
    return Profile(
        id=user_id,
        user_id=user_id,
        mfa_config=MfaConfig(
            auth_app_set_up=factors.has_totp,
            totp_enabled=mfa.enabled and mfa.totp.enabled,
            security_keys_enabled=mfa.enabled and mfa.security_keys.enabled,
        ),
        created_at=account.created_at,
        updated_at=account.updated_at,
        passkeys=[credential(one) for one in passkeys],
        security_keys=[credential(one) for one in keys],
        emails=[_email(one, identities) for one in emails],
        username=username_of(account),
        identities=[_identity(*one) for one in identities],
        name=account.name,
        given_name=account.given_name,
        family_name=account.family_name,
        picture=account.picture,
        metadata=unless_empty(named_bags(bags)),
    )


def username_of(account: Account) -> ProfileUsername | None:
    """Show a user name; it has no id of its own, and goes with the account's."""
    if account.username is None:
        return None
    return ProfileUsername(
        str(account.id), account.username, account.created_at, account.updated_at
    )


def _email(email: Email, identities: Sequence[tuple[Identity, Provider]]) -> ProfileEmail:
    mine = [_identity(one, provider) for one, provider in identities if one.email_id == email.id]
    return ProfileEmail(
        id=str(email.id),
        address=email.address,
        is_verified=email.is_verified,
        is_primary=email.is_primary,
        identity=mine[0] if mine else None,
        identities=mine,
    )


def _identity(identity: Identity, provider: Provider) -> ProfileIdentity:
    return ProfileIdentity(identity.subject, provider.display_name, str(identity.id))


def credential(passkey: Passkey) -> WebauthnCredential:
    """Show a passkey or security key."""
    return WebauthnCredential(
        id=passkey.credential_id,
        public_key=base64url.encode(passkey.public_key),
        attestation_type=passkey.attestation_type,
        aaguid=str(passkey.aaguid),
        created_at=passkey.created_at,
        transports=list(passkey.transports),
        backup_eligible=passkey.is_backup_eligible,
        backup_state=passkey.is_backed_up,
        mfa_only=passkey.is_mfa_only,
        name=passkey.name,
        last_used_at=passkey.last_used_at,
    )


def older_profile(account: Account, emails: Sequence[Email], bags: Bags) -> OlderProfile:
    """Show the signed-in user to older clients."""
    return OlderProfile(
        id=str(account.id),
        created_at=account.created_at,
        updated_at=account.updated_at,
        webauthn_credentials=[],
        email=next((email.address for email in emails if email.is_primary), None),
        username=account.username,
        name=account.name,
        given_name=account.given_name,
        family_name=account.family_name,
        picture=account.picture,
        metadata=unless_empty(named_bags(bags)),
    )


def backend_user(
    account: Account, emails: Sequence[Email] | None, bags: Bags, private: str | None
) -> BackendUser:
    """Show a user to a backend; no profile where the addresses are not to be seen."""
    profile = {} if emails is None else _profile(account, emails)
    return BackendUser(
        id=str(account.id),
        **profile,
        public_metadata=_raw(bags.public),
        unsafe_metadata=_raw(bags.unsafe),
        metadata_version=bags.version,
        created_at=account.created_at,
        updated_at=account.updated_at,
        private_metadata=msgspec.UNSET if private is None else _raw(private),
    )


def _profile(account: Account, emails: Sequence[Email]) -> dict[str, Any]:
    return {
        "username": account.username,
        "name": account.name,
        "given_name": account.given_name,
        "family_name": account.family_name,
        "picture": account.picture,
        "locale": account.locale,
        "emails": [BackendEmail(str(e.id), e.address, e.is_primary, e.is_verified) for e in emails],
        "last_sign_in_at": account.last_sign_in_at,
    }


def validation(signed_in: SignedIn, claims: dict[str, Json], sessions: Sessions) -> Validation:
    """Show a valid session; a claim of an application's own never hides a standard one."""
    return Validation(
        is_valid=True,
        claims=shown_claims(claims),
        expiration_time=_moment(claims["exp"]),
        user_id=str(signed_in.account.id),
        idle_expires_at=sessions.idle_end(signed_in.session),
    )


def shown_claims(claims: dict[str, Json]) -> dict[str, Json]:
    """Write a token's claims under the reference's longer names."""
    shown: dict[str, Json] = {k: v for k, v in claims.items() if k not in _NAMES}
    shown |= {long: claims[short] for short, long in _STANDARD.items() if short in claims}
    return shown | {
        "expiration": _moment(claims["exp"]),
        "issued_at": _moment(claims["iat"]),
    }


def refreshed(issued: Issued, *, shown: bool) -> Refreshed:
    """Show what a refresh token was exchanged for."""
    return Refreshed(
        expiration_time=issued.expires_at,
        session_expiration_time=issued.session.expires_at,
        session_token=issued.token if shown else None,
        refresh_token=issued.refresh_token if shown else None,
    )


def unless_empty(bags: NamedBags) -> NamedBags | None:
    """Give bags that are to be left out where each of them is."""
    return None if bags == NamedBags() else bags


def _raw(text: str) -> msgspec.Raw:
    """Let stored JSON text into an answer as it stands."""
    return msgspec.Raw(text.encode())


def _shown(text: str) -> msgspec.Raw | None:
    return None if text == _EMPTY else _raw(text)


def _moment(seconds: object) -> datetime:
    """Read a time of a verified token, which is a whole number."""
    return datetime.fromtimestamp(float(str(seconds)), UTC)
