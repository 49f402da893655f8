"""Hanko's own file: each field, each rule, and signing in with what it brings."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import bcrypt
import pytest
from credentials.authenticator import Authenticator, b64
from credentials.ceremonies import logged_in, person_of
from transfer.people import imported

from app.credentials.passkey_values import Accepted
from app.credentials.passwords import Verified
from app.credentials.totp import Accepted as TotpAccepted
from app.credentials.totp_codes import code_at, step_at
from app.credentials.webauthn_json import read_registration
from app.credentials.webauthn_verify import verify_registration
from app.persistence import fetch

ID = "799e95f0-4cc7-4bd7-9f01-5fdc4fa26ea3"
EMAIL = {"address": "Korey@Wolff.example", "is_primary": True, "is_verified": True}
USER = {"user_id": ID, "emails": [EMAIL]}
PASSWORD = "korrekt horse"
HASH = "$2a$" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()[4:]


def hankos(*users) -> bytes:
    return json.dumps(users, indent=2).encode()


async def test_the_format_of_hankos_documents_comes_in(services):
    first = {
        "user_id": ID,
        "emails": [{"address": "koreyrath@wolff.name", "is_primary": True, "is_verified": True}],
        "created_at": "2023-06-07T13:42:49.369489Z",
        "updated_at": "2023-06-07T13:42:49.369489Z",
    }
    second = first | {
        "user_id": "",
        "emails": [{"address": "joshua@langworth.name", "is_primary": True, "is_verified": False}],
    }
    outcome = await imported(services, hankos(first, second))
    assert (outcome.format, outcome.imported) == ("hanko", 2)
    account = await services.users.by_id(UUID(ID))
    assert account is not None
    assert account.created_at == datetime(2023, 6, 7, 13, 42, 49, 369489, UTC)
    other = await services.users.by_email("joshua@langworth.name")
    assert other is not None
    (email,) = (await services.users.emails_of([other.id]))[other.id]
    assert not email.is_verified


async def test_addresses_are_kept_in_lower_case(services):
    await imported(services, hankos(USER))
    (row,) = await fetch("SELECT address FROM email")
    assert row["address"] == "korey@wolff.example"


async def test_a_user_name_alone_will_do_whatever_the_schema_says(services):
    outcome = await imported(services, hankos({"username": "korey", "emails": None}))
    assert outcome.imported == 1


async def passkey_for(services, user_id: UUID, authenticator: Authenticator):
    """A credential that Hanko would have kept, in its words; it is in no database of ours."""
    options = await services.ceremonies.begin_registration(person_of(user_id))
    response = read_registration(authenticator.create(options))
    raw = base64.urlsafe_b64decode(options["challenge"] + "==")
    new = verify_registration(
        response, services.ceremonies.rp, raw, is_mfa_only=False, needs_verification=False
    )
    return {
        "id": new.credential_id,
        "public_key": b64(new.public_key),
        "attestation_type": "none",
        "aaguid": str(new.aaguid),
        "sign_count": new.sign_count,
        "transports": ["internal", "hybrid"],
        "backup_eligible": new.is_backup_eligible,
        "backup_state": new.is_backed_up,
        "mfa_only": False,
        "user_handle": b64(user_id.bytes),
        "created_at": "2023-06-07T13:42:49Z",
        "updated_at": "2023-06-07T13:42:49Z",
    }


async def test_everything_that_signs_in_at_hanko_signs_in_here(services):
    authenticator, user_id = Authenticator(), UUID(ID)
    secret = base64.b32encode(b"12345678901234567890").decode()
    user = USER | {
        "username": "korey",
        "password": {"password": HASH, "created_at": "2023-06-07T13:42:49Z"},
        "otp_secret": {"secret": secret},
        "webauthn_credentials": [await passkey_for(services, user_id, authenticator)],
    }
    outcome = await imported(services, hankos(user))
    assert outcome.problems == []
    assert isinstance(await services.passwords.verify(user_id, PASSWORD), Verified)
    assert isinstance(await logged_in(services, authenticator), Accepted)
    code = code_at(secret, step_at(services.clock()))
    assert isinstance(await services.totp.verify(user_id, code), TotpAccepted)
    (row,) = await fetch("SELECT hash, imported FROM user_password")
    assert row["hash"].startswith("$argon2id$")  # SEC-034: upgraded at the first sign-in
    (row,) = await fetch("SELECT sealed_secret FROM user_totp")
    assert secret not in row["sealed_secret"]


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
async def test_each_kind_of_bcrypt_comes_in(services, prefix):
    user = USER | {"password": {"password": prefix + HASH[4:]}}
    assert (await imported(services, hankos(user))).imported == 1
    assert isinstance(await services.passwords.verify(UUID(ID), PASSWORD), Verified)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emails": []}, "A user needs an e-mail address or a user name."),
        ({"emails": [EMAIL | {"is_primary": False}]}, "Exactly one address must be primary."),
        (
            {"emails": [EMAIL, EMAIL | {"address": "b@example.com"}]},
            "Exactly one address must be primary.",
        ),
        ({"emails": [EMAIL | {"address": "korey"}]}, "This is no e-mail address."),
        ({"user_id": "1"}, "user_id is no UUID."),
        (
            {"password": {"password": "$1$abc"}},
            "The password hash is in no format that can be imported.",
        ),
        (
            {"otp_secret": {"secret": "1"}},
            "The secret of the authenticator app is no base32.",
        ),
    ],
)
async def test_what_is_wrong_is_said_of_the_entry(services, change, message):
    outcome = await imported(services, hankos(USER | {"user_id": str(uuid4())}, USER | change))
    assert [(one.entry, one.message) for one in outcome.problems][-1] == (2, message)
    assert await fetch("SELECT id FROM app_user") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mfa_only": True}, "no user handle"),
        ({"user_handle": "c29tZWJvZHkgZWxzZQ"}, "user's own id"),
    ],
)
async def test_a_passkey_that_could_not_sign_in_here_is_refused(services, change, says):
    credential = await passkey_for(services, UUID(ID), Authenticator())
    user = USER | {"webauthn_credentials": [credential | change]}
    outcome = await imported(services, hankos(user))
    assert says in outcome.problems[0].message


async def test_fields_that_nobody_knows_are_left_out_and_named(services):
    user = USER | {"metadata": {}, "emails": [EMAIL | {"note": 1}]}
    outcome = await imported(services, hankos(user))
    assert outcome.imported == 1
    assert outcome.unknown_fields == {"metadata", "emails.note"}
