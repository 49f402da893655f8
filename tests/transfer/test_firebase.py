"""An export of Firebase's becomes a file that can be imported, however it is cut and written."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access import SYSTEM
from app.credentials.password_formats import parse
from app.transfer import Conversion, FileRefused, HashParameters, Wishes

PARAMETERS = {  # those of the example in Firebase's own scrypt utility
    "algorithm": "SCRYPT",
    "base64_signer_key": (
        "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
    ),
    "base64_salt_separator": "Bw==",
    "rounds": 8,
    "mem_cost": 14,
}
HASHES = HashParameters.of(json.dumps(PARAMETERS).encode())
PASSWORD = "user1password"
USER = {
    "localId": "Fb0x1",
    "email": "ada@example.com",
    "emailVerified": True,
    "displayName": "Ada Lovelace",
    "passwordHash": (
        "lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ=="
    ),
    "salt": "42xEC-ixf3L2lw==",
    "createdAt": "1500000000123",
    "lastSignedInAt": "1600000000000",
    "providerUserInfo": [{"providerId": "password", "rawId": "ada@example.com"}],
}


class Crumbs(io.BytesIO):
    """A file that is read a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


def converted(content: bytes, size: int = 1 << 20):
    """The lines behind the header, and who was left out."""
    left_out = []
    conversion = Conversion(Crumbs(content, size), HASHES, left_out.append)
    header, *lines = [json.loads(line) for line in conversion.lines()]
    assert header == {"format": "sekisho.users", "version": 1}
    assert (conversion.converted, conversion.left_out) == (len(lines), len(left_out))
    return lines, left_out


def exported(*users: object) -> bytes:
    return json.dumps({"users": users}).encode()


def test_a_user_keeps_their_address_name_times_and_password():
    ((line,), left_out) = converted(exported(USER))
    assert left_out == []
    assert line["emails"] == [
        {
            "address": "ada@example.com",
            "is_primary": True,
            "is_verified": True,
            "created_at": "2017-07-14T02:40:00.123000Z",
        }
    ]
    assert line["name"] == "Ada Lovelace"
    assert line["private_metadata"] == {"firebaseId": "Fb0x1"}
    assert line["created_at"] == "2017-07-14T02:40:00.123000Z"
    assert line["updated_at"] == line["last_sign_in_at"] == "2020-09-13T12:26:40Z"
    assert parse(line["password"]["hash"]).matches(PASSWORD.encode())
    assert not parse(line["password"]["hash"]).matches(b"another")


def test_an_address_is_verified_only_where_the_export_says_so_sec_115():
    ((line,), _) = converted(exported({"localId": "1", "email": "a@example.com"}))
    assert "is_verified" not in line["emails"][0]
    assert "password" not in line


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"localId": "x"}, "The user has no e-mail address."),
        ({**USER, "disabled": True}, "The user is disabled in Firebase."),
        ({**USER, "createdAt": "yesterday"}, "A time of the user cannot be read."),
        ({**USER, "createdAt": "9" * 40}, "A time of the user cannot be read."),
        ({**USER, "salt": "***"}, "The password hash"),
        ({**USER, "passwordHash": "AAAA"}, "The password hash"),
        ({"email": "a@example.com"}, "Object missing required field `localId`"),
        ({"localId": 1}, "Expected `str`, got `int`"),
    ],
)
def test_who_could_not_sign_in_or_must_not_is_left_out_and_named(user, message):
    lines, (one,) = converted(exported(USER, user))
    assert len(lines) == 1
    assert one.entry == 2
    assert one.firebase_id in (user.get("localId"), "")
    assert one.message.startswith(message)


@given(
    size=st.integers(1, 400),
    indent=st.sampled_from([None, 0, 2]),
    names=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5),
    end=st.sampled_from([b"", b"\n", b" \r\n\t"]),
)
def test_it_does_not_matter_how_the_file_comes(size, indent, names, end):
    """Neither spaces nor braces in texts, nor where a read ends."""
    users = [{**USER, "displayName": f"}}{name}"} for name in names]
    content = json.dumps({"users": users}, indent=indent).encode() + end
    lines, left_out = converted(content, size)
    assert [line["name"] for line in lines] == [f"}}{name}" for name in names]
    assert left_out == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"user":[]}',
        b'{"users":{}}',
        b'{"users":[',
        b'{"users":[{}',
        b"x" * 3000,
        b'{"users":[]} {}',
        b'{"users":[],"more":[]}',
        b'{"users":[1]}',
    ],
)
def test_what_is_no_export_of_firebase_is_refused(content):
    with pytest.raises(FileRefused):
        converted(content, 7)


def test_an_entry_without_an_end_takes_no_memory(monkeypatch):
    monkeypatch.setattr("app.transfer.firebase.MAX_ENTRY", 1000)
    with pytest.raises(FileRefused):
        converted(b'{"users":[{"a":"' + b"x" * 5000, 64)


@pytest.mark.parametrize(
    "parameters",
    [
        b"",
        b"[]",
        b"{}",
        *(
            json.dumps(PARAMETERS | change).encode()
            for change in ({"algorithm": "BCRYPT"}, {"rounds": "8"}, {"mem_cost": None})
        ),
    ],
)
def test_hash_parameters_that_lack_something_are_refused(parameters):
    with pytest.raises(FileRefused):
        HashParameters.of(parameters)


async def test_who_was_converted_signs_in_with_the_password_they_had(services):
    conversion = Conversion(io.BytesIO(exported(USER)), HASHES, pytest.fail)
    file = io.BytesIO(b"".join(conversion.lines()))
    outcome = await services.importer.run(SYSTEM, file, Wishes())
    assert (outcome.imported, outcome.refused) == (1, 0)
    user = await services.users.by_email("ada@example.com")
    assert user.name == "Ada Lovelace"
    verified = await services.passwords.verify(user.id, PASSWORD)
    assert await services.passwords.still_holds(user.id, verified)
