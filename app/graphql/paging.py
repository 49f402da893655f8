"""What every connection shares."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar
from uuid import UUID

import strawberry

from app.paging import MAX_PAGE, Page, PageRequest, Position

__all__ = [
    "After",
    "Before",
    "Connection",
    "First",
    "Last",
    "page_request",
]


class HasPlace(Protocol):
    """What stands in an order by time, then id."""

    @property
    def id(self) -> UUID:
        """Its id."""

    @property
    def created_at(self) -> datetime:
        """Its time."""


Node = TypeVar("Node")
Placed = TypeVar("Placed", bound=HasPlace)


def _argument(text: str) -> Any:  # noqa: ANN401  # strawberry's
    return strawberry.argument(description=text)


First = Annotated[
    int | None, _argument(f"How many from the start; 20 unless said, {MAX_PAGE} at most.")
]
After = Annotated[str | None, _argument("Start behind this cursor.")]
Last = Annotated[int | None, _argument(f"How many from the end; {MAX_PAGE} at most.")]
Before = Annotated[str | None, _argument("End before this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's page info."""

    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether some come before.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge.")


def page_request(*arguments: Any) -> PageRequest:  # noqa: ANN401  # int, str, None or UNSET
    """Read `first`, `after`, `last` and `before`, each of which may be left out.

    Raises:
        PageRefused: They describe no page.
    """
    return PageRequest.of(*(None if part is strawberry.UNSET else part for part in arguments))


@strawberry.type(description="An item of a page.")
class Edge(Generic[Node]):
    """An edge."""

    cursor: str = strawberry.field(description="Where the item stands; pass it to `after`.")
    node: Node = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """A page, as Relay has it, with `nodes` for those who need no cursors."""

    edges: list[Edge[Node]] = strawberry.field(description="The items with their cursors.")
    nodes: list[Node] = strawberry.field(description="The items.")
    page_info: PageInfo = strawberry.field(description="What comes before and after.")

    @classmethod
    def of(cls, page: Page[Placed], show: Callable[[Placed], Node]) -> Self:
        """Show a page, each item by *show*."""
        nodes = [show(item) for item in page.items]
        cursors = [Position(item.created_at, item.id).cursor() for item in page.items]
        edges = [Edge(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)]
        return cls(edges=edges, nodes=nodes, page_info=_page_info(page, cursors))


def _page_info(page: Page[Any], cursors: list[str]) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
