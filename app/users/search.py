"""Accounts looked through: by a filter, in an order, a page at a time."""

from dataclasses import dataclass

from piccolo.querystring import QueryString

from app.paging import Page, PageRequest, Position
from app.persistence import fetch_composed
from app.users.accounts import COLUMNS, Account
from app.users.filters import UserFilter, UserOrder, condition


@dataclass(frozen=True, slots=True)
class UserSearch:
    """Lists the accounts that a filter asks for, and counts them."""

    async def page(
        self,
        asked: PageRequest,
        wanted: UserFilter | None = None,
        order: UserOrder = UserOrder.CREATED_AT_DESC,
    ) -> Page[Account]:
        """List accounts, newest first unless asked otherwise.

        Raises:
            FilterRefused: The filter cannot be asked of the database.
        """
        descending = (order is UserOrder.CREATED_AT_DESC) != asked.backwards
        where = _where(wanted, _beyond(asked.beyond, descending=descending))
        found = await _listed(where, asked.size + 1, descending=descending)
        return Page.of(found, asked)

    async def numbered(
        self, wanted: UserFilter, order: UserOrder, *, skip: int, size: int
    ) -> list[Account]:
        """Give *size* accounts behind the first *skip*, for lists whose pages have numbers.

        Raises:
            FilterRefused: The filter cannot be asked of the database.
        """
        descending = order is UserOrder.CREATED_AT_DESC
        return await _listed(_where(wanted), size, skip, descending=descending)

    async def count(self, wanted: UserFilter) -> int:
        """Say how many accounts a filter asks for.

        Raises:
            FilterRefused: The filter cannot be asked of the database.
        """
        sql = "SELECT COUNT(*) AS number FROM app_user WHERE {}"
        (row,) = await fetch_composed(QueryString(sql, _where(wanted)))
        return int(row["number"])


def _where(wanted: UserFilter | None, beyond: QueryString | None = None) -> QueryString:
    asked = None if wanted is None else condition(wanted)
    parts = [part for part in (beyond, asked) if part is not None]
    return QueryString(" AND ".join("{}" for _ in parts) if parts else "TRUE", *parts)


async def _listed(
    where: QueryString, size: int, skip: int = 0, *, descending: bool
) -> list[Account]:
    direction = "DESC" if descending else "ASC"
    query = QueryString(
        f"SELECT {COLUMNS} FROM app_user WHERE {{}} "
        f"ORDER BY created_at {direction}, id {direction} LIMIT {{}} OFFSET {{}}",
        where,
        size,
        skip,
    )
    return [Account(**row) for row in await fetch_composed(query)]


def _beyond(position: Position | None, *, descending: bool) -> QueryString | None:
    """Ask for rows past a position, in a form that both databases answer from the index."""
    if position is None:
        return None
    sign = "<" if descending else ">"
    return QueryString(
        f"(created_at {sign}= {{}} AND (created_at {sign} {{}} OR id {sign} {{}}))",
        position.at,
        position.at,
        position.id,
    )
