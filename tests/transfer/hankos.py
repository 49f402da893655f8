"""A database as Hanko has it: the tables that users are in, and somebody in them."""

from datetime import datetime
from uuid import UUID, uuid4

import cbor2
from credentials.authenticator import Authenticator, Credential, b64, new_key

BAG = '{"plan":"pro","limits":{"seats":1.50,"rest":null}}'
_COLUMNS = {
    "users": "id uuid, name text, given_name text, family_name text, picture text",
    "emails": "id uuid, user_id uuid, address text, verified boolean",
    "primary_emails": "id uuid, email_id uuid, user_id uuid",
    "usernames": "id uuid, user_id uuid, username text",
    "user_metadata": "id uuid, user_id uuid, public_metadata varchar(3000), "
    "private_metadata varchar(3000), unsafe_metadata varchar(3000)",
    "password_credentials": "id uuid, user_id uuid, password text",
    "otp_secrets": "id uuid, user_id uuid, secret text, last_validated_step int",
    "webauthn_credentials": "id text, user_id uuid, name text, public_key text, "
    "attestation_type text, aaguid uuid, sign_count int, last_used_at timestamp, "
    "backup_eligible boolean, backup_state boolean, mfa_only boolean, user_handle_id uuid",
    "webauthn_credential_transports": "id text, name text, webauthn_credential_id text",
    "identities": "id uuid, provider_id text, provider_user_id text, data text, email_id uuid, "
    "user_id uuid",
    "saml_identities": "id uuid, identity_id uuid, domain text",
}
_TIME = "timestamp not null default '2023-06-07 13:42:49.369489'"
TABLES = tuple(
    f"CREATE TABLE {name} ({columns}, created_at {_TIME}, updated_at {_TIME})"
    for name, columns in _COLUMNS.items()
)
"""As the reference's tables stand after its migrations, less the tenants."""


async def fill(connection, user_id: UUID, hashed: str, secret: str, key: Authenticator) -> None:
    """Put two people in: one with everything, and one with an address alone."""
    email, other, other_email = uuid4(), uuid4(), uuid4()
    rows = {
        "users (id, name)": [(user_id, "Korey Rath"), (other, "")],
        "emails (id, user_id, address, verified)": [
            (email, user_id, "korey@wolff.example", True),
            (other_email, other, "joshua@langworth.example", False),
        ],
        "primary_emails (id, email_id, user_id)": [
            (uuid4(), email, user_id),
            (uuid4(), other_email, other),
        ],
        "usernames (id, user_id, username)": [(uuid4(), user_id, "korey")],
        "user_metadata (id, user_id, public_metadata)": [(uuid4(), user_id, BAG)],
        "password_credentials (id, user_id, password)": [(uuid4(), user_id, hashed)],
        "otp_secrets (id, user_id, secret)": [(uuid4(), user_id, secret)],
        "webauthn_credentials (id, user_id, public_key, attestation_type, aaguid, sign_count, "
        "last_used_at, backup_eligible, backup_state, mfa_only)": [
            (
                b64(b"credential of korey"),
                user_id,
                b64(key_of(key)),
                "none",
                UUID(int=0),
                7,
                datetime(2023, 6, 8),  # noqa: DTZ001  # without a zone, as they are there
                True,
                True,
                False,
            )
        ],
        "webauthn_credential_transports (id, name, webauthn_credential_id)": [
            ("1", "internal", b64(b"credential of korey")),
            ("2", "hybrid", b64(b"credential of korey")),
        ],
        "identities (id, provider_id, provider_user_id, data, email_id, user_id)": [
            (uuid4(), "google", "1234567890", '{"email":"korey@wolff.example"}', email, user_id),
            (uuid4(), "custom_forum", "77", '{"sub":"77"}', email, user_id),
        ],
    }
    for table, values in rows.items():
        marks = ", ".join(f"${n + 1}" for n in range(len(values[0])))
        await connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def key_of(authenticator: Authenticator) -> bytes:
    """The public key of a new credential, as COSE."""
    made = Credential(b"", "", b"", authenticator.algorithm, new_key(authenticator.algorithm))
    return cbor2.dumps(made.cose())
