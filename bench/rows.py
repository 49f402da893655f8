"""What the rows hold: the same in every run, and enough like life to cost the same."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.paging import Position

COLUMNS = {
    "app_user": "id, name, locale, created_at, updated_at",
    "email": "id, user_id, address, address_key, is_primary, is_verified, created_at, updated_at",
    "user_metadata": "user_id, public_bag, private_bag, unsafe_bag, version",
}
"""Tables and what is written into them, parents first."""

PASSWORD = "a lamp in the window"  # noqa: S105  # of users who are made up

_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_APART = timedelta(seconds=30)
_CHUNK = 5_000
Values = tuple[str, ...]


def user_id(number: int) -> UUID:
    """Give the id of a user: version 7, so of the time it was made, and the same in every run."""
    milliseconds = int(made(number).timestamp() * 1000)
    mixed = (number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 & ((1 << 74) - 1)
    high, low = mixed >> 62, mixed & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def address(number: int) -> str:
    """Give the address of a user."""
    return f"user{number}@example.com"


def cursor_at(users: int, depth: float) -> str:
    """Give the cursor of the user so far down the list, newest first."""
    number = users - 1 - int(users * depth)
    return Position(made(number), user_id(number)).cursor()


async def copied(table: str, users: int) -> AsyncIterator[bytes]:
    """Write rows in PostgreSQL's text format; nothing in ours needs an escape."""
    for start in range(0, users, _CHUNK):
        rows = values(table, range(start, min(start + _CHUNK, users)))
        yield "".join("\t".join(row) + "\n" for row in rows).encode()


def values(table: str, numbers: range) -> Iterator[Values]:
    return map(_ROW[table], numbers)


def _user(number: int) -> Values:
    made = _moment(number)
    return str(user_id(number)), f"User {number}", "en-GB", made, made


def _email(number: int) -> Values:
    user, made = user_id(number), _moment(number)
    own = UUID(int=user.int ^ 1 << 61)
    written = address(number)
    return str(own), str(user), written, written, "1", "1", made, made


def _bags(number: int) -> Values:
    public = (
        f'{{"plan":"pro","seats":{number % 50},"roles":["editor","billing"],"org":"org_{number}"}}'
    )
    private = f'{{"customer":"cus_{number}","score":0.75}}'
    unsafe = f'{{"theme":"dark","language":"en","onboarded":true,"visits":{number % 1000}}}'
    return str(user_id(number)), public, private, unsafe, "1"


_ROW: dict[str, Callable[[int], Values]] = {
    "app_user": _user,
    "email": _email,
    "user_metadata": _bags,
}


def made(number: int) -> datetime:
    return _FIRST + number * _APART


def _moment(number: int) -> str:
    return made(number).isoformat(sep=" ")
