"""What REST answers look like: the reference's shapes, and those of the backend API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.metadata import Bags
from app.sessions import Sessions, SignedIn
from app.users import Account, Email

Shape = dict[str, Any]
_EMPTY = "{}"
_STANDARD = {
    "sub": "subject",
    "exp": "expiration",
    "iat": "issued_at",
    "aud": "audience",
    "iss": "issuer",
}


def raw(text: str) -> msgspec.Raw:
    """Let stored JSON text into an answer as it stands."""
    return msgspec.Raw(text.encode())


def moment(value: datetime) -> str:
    """Write a time as RFC 3339, in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def named_bags(bags: Bags, private: str | None = None) -> Shape:
    """Show bags as the reference does: an empty one is left out."""
    texts = {
        "public_metadata": bags.public,
        "private_metadata": private if private is not None else _EMPTY,
        "unsafe_metadata": bags.unsafe,
    }
    return {name: raw(text) for name, text in texts.items() if text != _EMPTY}


def profile(account: Account, emails: Sequence[Email], bags: Bags) -> Shape:
    """Show the signed-in user as `GET /me` does; what is empty is left out."""
    user_id = str(account.id)
    shape: Shape = {
        "id": user_id,
        "user_id": user_id,
        "mfa_config": {
            "auth_app_set_up": False,
            "totp_enabled": False,
            "security_keys_enabled": False,
        },
        "created_at": moment(account.created_at),
        "updated_at": moment(account.updated_at),
    }
    if emails:
        shape["emails"] = [_email(email) for email in emails]
    if account.username is not None:
        shape["username"] = {
            "id": user_id,
            "username": account.username,
            "created_at": moment(account.created_at),
            "updated_at": moment(account.updated_at),
        }
    return shape | _common(account, bags)


def older_profile(account: Account, emails: Sequence[Email], bags: Bags) -> Shape:
    """Show the signed-in user as `GET /users/{id}` did for older clients."""
    primary = next((email.address for email in emails if email.is_primary), None)
    shape: Shape = {
        "id": str(account.id),
        "email": primary,
        "username": account.username,
        "webauthn_credentials": [],
        "created_at": moment(account.created_at),
        "updated_at": moment(account.updated_at),
    }
    return {k: v for k, v in shape.items() if v is not None} | _common(account, bags)


def backend_user(
    account: Account, emails: Sequence[Email], bags: Bags, private: str | None
) -> Shape:
    """Show a user to a backend; the private bag where the key may read it."""
    shape: Shape = {
        "id": str(account.id),
        "username": account.username,
        "name": account.name,
        "givenName": account.given_name,
        "familyName": account.family_name,
        "picture": account.picture,
        "locale": account.locale,
        "emails": [
            {
                "id": str(email.id),
                "address": email.address,
                "isPrimary": email.is_primary,
                "isVerified": email.is_verified,
            }
            for email in emails
        ],
        "publicMetadata": raw(bags.public),
        "unsafeMetadata": raw(bags.unsafe),
        "metadataVersion": bags.version,
        "createdAt": moment(account.created_at),
        "updatedAt": moment(account.updated_at),
    }
    return shape if private is None else shape | {"privateMetadata": raw(private)}


def validation(signed_in: SignedIn, sessions: Sessions) -> Shape:
    """Show a valid session; a claim of an application's own never hides a standard one."""
    claims = signed_in.claims
    expires = moment(datetime.fromtimestamp(_seconds(claims["exp"]), UTC))
    shown: Shape = {k: v for k, v in claims.items() if k not in _STANDARD}
    shown |= {long: claims[short] for short, long in _STANDARD.items() if short in claims}
    shown |= {
        "expiration": expires,
        "issued_at": moment(datetime.fromtimestamp(_seconds(claims["iat"]), UTC)),
    }
    shape: Shape = {
        "is_valid": True,
        "claims": shown,
        "expiration_time": expires,
        "user_id": str(signed_in.account.id),
    }
    idle = sessions.idle_end(signed_in.session)
    return shape if idle is None else shape | {"idle_expires_at": moment(idle)}


def _seconds(value: object) -> float:
    if not isinstance(value, int):
        raise TypeError("a verified token's times are whole seconds")
    return float(value)


def _email(email: Email) -> Shape:
    return {
        "id": str(email.id),
        "address": email.address,
        "is_verified": email.is_verified,
        "is_primary": email.is_primary,
    }


def _common(account: Account, bags: Bags) -> Shape:
    shape = {
        "name": account.name,
        "given_name": account.given_name,
        "family_name": account.family_name,
        "picture": account.picture,
        "metadata": named_bags(bags) or None,
    }
    return {name: value for name, value in shape.items() if value is not None}
