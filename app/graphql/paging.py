"""What every connection shares."""

from typing import Annotated, Any

import strawberry

from app.users.paging import MAX_PAGE, Page, PageRequest, Position

__all__ = [
    "After",
    "Before",
    "First",
    "Last",
    "PageInfo",
    "Position",
    "page_info",
    "page_request",
]


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


def page_info(page: Page[Any], cursors: list[str]) -> PageInfo:
    """Describe a page whose edges have these cursors."""
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
