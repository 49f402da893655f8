"""Lists whose pages have numbers, as the reference's admin endpoints give them."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from app import paging

MAX_NUMBER = 2**31 - 1
PageNumber = Annotated[
    int, QueryParameter(ge=0, le=MAX_NUMBER, description="Which page; the first one is 1.")
]
PageSize = Annotated[
    int,
    QueryParameter(
        ge=0, le=paging.MAX_PAGE, description="How many there are on a page; 0 is the default."
    ),
]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list by its number, which counts from 1."""

    number: int
    size: int

    @property
    def skip(self) -> int:
        """Say how many there are before the page."""
        return (self.number - 1) * self.size

    def headers(
        self, request: Request[Any, Any, Any], total: int, *asked_by: str
    ) -> dict[str, str]:
        """Say how many there are on all pages, and where other pages are (RFC 8288).

        The gate has seen that the host is one of ours (SEC-102).

        Args:
            request: Which asks for the page.
            total: How many there are on all pages.
            asked_by: The parameters of the endpoint, which links repeat, and no other.
        """
        given = [(name, value) for name, value in _query(request) if name in asked_by]
        return {"x-total-count": str(total), "link": self._links(request, total, given)}

    def _links(
        self, request: Request[Any, Any, Any], total: int, given: list[tuple[str, str]]
    ) -> str:
        last = max(1, -(-total // self.size))
        pages = (
            ("first", 1, self.number != 1 or last == 1),
            ("last", last, self.number != last),
            ("next", self.number + 1, self.number < last),
            ("prev", self.number - 1, self.number > 1),
        )
        base = str(request.url.with_replacements(query="", fragment=""))
        return ",".join(
            f'<{base}?{self._query(given, number)}>; rel="{name}"'
            for name, number, is_there in pages
            if is_there
        )

    def _query(self, given: list[tuple[str, str]], number: int) -> str:
        paged = [*given, ("page", str(number)), ("per_page", str(self.size))]
        return urlencode(sorted(paged))


async def page_of(page: PageNumber = 1, per_page: PageSize = paging.DEFAULT_PAGE) -> Page:
    """Read which page is asked for; a size above the cap or below zero is refused (SEC-098)."""
    return Page(page or 1, per_page or paging.DEFAULT_PAGE)


PAGED: dict[str, Any] = {
    "dependencies": {"asked": Provide(page_of)},
    "response_headers": [
        ResponseHeader(
            name="X-Total-Count",
            value="",
            description="How many there are on all pages.",
            documentation_only=True,
        ),
        ResponseHeader(
            name="Link",
            value="",
            description="Where the first, last, next and previous pages are (RFC 8288).",
            documentation_only=True,
        ),
    ],
}
"""What the decorator of an endpoint takes that has an argument `asked: AskedPage`."""

AskedPage = NamedDependency[SkipValidation[Page]]


def _query(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    """Read what a list is asked for by."""
    text = request.scope["query_string"].decode("latin-1")
    return parse_qsl(text, keep_blank_values=True)
