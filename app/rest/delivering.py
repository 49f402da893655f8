"""An answer that brings tokens along."""

from typing import Any, Generic, TypeVar

from litestar import Response
from litestar.response.base import ASGIResponse

T = TypeVar("T")


class Delivering(Response[T], Generic[T]):
    """An answer with headers that may stand more than once, as Set-Cookie does."""

    def __init__(
        self, content: T, headers: list[tuple[bytes, bytes]], *, status_code: int | None = None
    ) -> None:
        super().__init__(content, status_code=status_code)
        self._delivered = headers

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> ASGIResponse:  # noqa: ANN401  # Litestar's
        """Add the headers to what Litestar makes."""
        response = super().to_asgi_response(*args, **kwargs)
        for name, value in self._delivered:
            response.headers.add(name.decode(), value.decode())
        return response
