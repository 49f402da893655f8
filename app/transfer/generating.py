"""Makes up users, to try an import with or to fill a server for a test."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from app.ids import new_id
from app.transfer.hanko import HankoEmail, HankoUser
from app.transfer.reading import Format
from app.transfer.records import FORMAT, VERSION, EmailRecord, Header, UserRecord

_GIVEN = ("Ada", "Chidi", "Emeka", "Grace", "Ines", "Jun", "Lena", "Mila", "Noor", "Oskar", "Ravi")
_FAMILY = ("Abara", "Berg", "Costa", "Demir", "Egli", "Fujii", "Haddad", "Ito", "Kaya", "Moreau")
_PLANS = ("free", "pro", "team")
_encoder = msgspec.json.Encoder()


def made_up(users: int, kind: Format, now: datetime | None = None) -> Iterator[bytes]:
    """Write a file of users who do not exist, each with a verified primary address.

    Their addresses end in `example.com`, which receives no mail.
    """
    moment = now or datetime.now(UTC)
    if kind == "hanko":
        yield b"[\n"
        for number in range(users):
            comma = b",\n" if number + 1 < users else b"\n"
            yield _encoder.encode(_of_hanko(_user(number, moment))) + comma
        yield b"]\n"
        return
    yield _encoder.encode(Header(format=FORMAT, version=VERSION, users=users)) + b"\n"
    for number in range(users):
        yield _encoder.encode(_user(number, moment)) + b"\n"


def _user(number: int, now: datetime) -> UserRecord:
    """Make up a user; the number keeps addresses apart."""
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)  # noqa: S311  # no secret
    made = now - timedelta(seconds=random.randrange(365 * 86_400))  # noqa: S311
    user_id = new_id()
    address = f"{given}.{family}.{user_id.hex[-12:]}{number}@example.com".lower()
    email = EmailRecord(
        id=new_id(),
        address=address,
        is_primary=True,
        is_verified=True,
        created_at=made,
        updated_at=made,
    )
    plan = _encoder.encode({"plan": random.choice(_PLANS)})  # noqa: S311
    return UserRecord(
        id=user_id,
        name=f"{given} {family}",
        given_name=given,
        family_name=family,
        created_at=made,
        updated_at=made,
        emails=(email,),
        public_metadata=msgspec.Raw(plan),
    )


def _of_hanko(user: UserRecord) -> HankoUser:
    emails = tuple(
        HankoEmail(address=e.address, is_primary=True, is_verified=True) for e in user.emails
    )
    return HankoUser(
        user_id=str(user.id), emails=emails, created_at=user.created_at, updated_at=user.updated_at
    )
