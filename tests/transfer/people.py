"""People with everything that a user can have, and the ways in which they sign in."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from credentials.authenticator import Authenticator
from credentials.ceremonies import logged_in, passkey_of
from factories import make_identity, make_user

from app.access import SYSTEM, Origin
from app.assembly import Services
from app.credentials import passwords, recovery_codes, totp
from app.credentials.passkey_values import Accepted
from app.credentials.totp_codes import code_at, step_at
from app.keys.secrets import FILE
from app.transfer import Outcome, Wishes

PASSWORD = "a lamp in the window"


@dataclass
class Person:
    """A user, and what only they know or hold."""

    id: UUID
    passkey: Authenticator
    secret: str
    codes: list[str]


async def make_person(services: Services, name: str = "ada") -> Person:
    """A user with everything."""
    user = await make_user(
        services,
        email=f"{name}@Example.com",
        username=name.capitalize(),
        name=f"{name} Løvelace",
        locale="en-GB",
        picture="https://example.com/a.png",
        public={"plan": "pro", "seats": 12345678901234567890123, "nested": {"a": [1.5, None]}},
        private={"note": "ünïcode"},
        unsafe={"theme": "dark"},
    )
    passkey = Authenticator()
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    await passkey_of(services, user.id, passkey)
    await passkey_of(services, user.id, Authenticator(), "security_key")
    secret = services.totp.offer("ada").secret
    step = step_at(services.clock())
    proof = services.totp.prove(secret, code_at(secret, step - 1))
    await services.totp.store(SYSTEM, user.id, secret, proof)
    codes = await services.recovery_codes.generate(SYSTEM, user.id)
    await make_identity(services, user, subject=f"subject of {name}")
    await services.sessions.issue(SYSTEM, user.id, Origin(user_agent="Browser/1.0"))
    await services.trusted_devices.issue(SYSTEM, user.id)
    return Person(user.id, passkey, secret, codes)


async def signs_in(services: Services, person: Person) -> None:
    """See that each way in is open; each code is used up by it."""
    checked = await services.passwords.verify(person.id, PASSWORD)
    assert isinstance(checked, passwords.Verified)
    assert isinstance(await logged_in(services, person.passkey), Accepted)
    code = code_at(person.secret, step_at(services.clock()))
    assert isinstance(await services.totp.verify(person.id, code), totp.Accepted)
    redeemed = await services.recovery_codes.redeem(SYSTEM, person.id, person.codes[0])
    assert isinstance(redeemed, recovery_codes.Accepted)


async def exported(services: Services, *, with_sessions: bool = True) -> bytes:
    """The file of everybody."""
    parts: list[bytes] = []

    async def write(part: bytes, _written: int, _users: int) -> None:
        parts.append(part)

    await services.exporter.run(SYSTEM, write, with_sessions=with_sessions)
    return b"".join(parts)


async def imported(services: Services, file: bytes | list[Any], **wishes: Any) -> Outcome:
    """What has come of a file, or of entries of ours that a header is put before."""
    content = file if isinstance(file, bytes) else ours(*file)
    return await services.importer.run(SYSTEM, io.BytesIO(content), Wishes(**wishes))


def ours(*entries: Any) -> bytes:
    """A file of ours."""
    header = {"format": "sekisho.users", "version": 1}
    return b"".join(json.dumps(one).encode() + b"\n" for one in (header, *entries))


def secret_of(services: Services) -> str:
    """The encryption secret of the services, which development keeps in a file."""
    return (Path(services.config.data_dir) / FILE).read_text().strip()
