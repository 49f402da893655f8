"""Somebody with a browser, as far as HTTP goes: cookies, redirects and forms."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from lxml import html

from app.assembly import Services
from app.server import application

HERE = "https://localhost:8000"
"""Where the server under test is; it has no socket."""

CALLBACK = f"{HERE}/thirdparty/callback"
TARGET = "https://app.example.com/in"
ERRORS = "https://app.example.com/error"
_FAR = 10
"""Redirects in a row that a browser would take for a loop."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser shows, or where it was sent that is neither here nor at the provider."""

    url: str
    answer: httpx.Response | None = None

    @property
    def told(self) -> dict[str, str]:
        """The query, and where it was sent under `to`."""
        parts = urlsplit(self.url)
        found = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return {"to": f"{parts.scheme}://{parts.netloc}{parts.path}", **found}


class Visitor:
    """A browser that visits the server and a provider, and stops before it goes elsewhere."""

    def __init__(self, services: Services, *providers: str) -> None:
        gate = application(services, "public")
        inside = httpx.ASGITransport(gate, client=("127.0.0.1", 50_000))
        self.http = httpx.AsyncClient(mounts={HERE: inside}, timeout=30, trust_env=False)
        self._known = (HERE, *providers)
        self.stops_before: tuple[str, ...] = ()
        """Addresses here that it is not to open, so that a test can change what it brings."""

    async def go(self, url: str) -> Page:
        """Open a page."""
        return await self._follow(self.http.build_request("GET", url))

    async def send(self, page: Page, button: str | None = None, **fields: str) -> Page:
        """Fill in and send a page's form."""
        assert page.answer is not None, page.url
        (form,) = html.document_fromstring(page.answer.text).forms
        given = {name: value for name, value in form.fields.items() if value and name != "answer"}
        given |= fields | ({"answer": button} if button else {})
        url = urljoin(page.url, form.action or page.url)
        return await self._follow(self.http.build_request("POST", url, data=given))

    async def sign_in(self, url: str, login: str, button: str = "yes") -> Page:
        """Go to a provider and say who it is there."""
        page = await self.go(url)
        assert page.answer is not None, page.url
        assert "Sign in</button>" in page.answer.text, page.answer.text
        return await self.send(page, button, login=login)

    async def _follow(self, request: httpx.Request) -> Page:
        for _ in range(_FAR):
            answer = await self.http.send(request)
            if answer.next_request is None:
                return Page(str(answer.url), answer)
            request = answer.next_request
            url = str(request.url)
            if not url.startswith(self._known) or url.startswith(self.stops_before):
                return Page(url)
        raise AssertionError(f"too many redirects: {request.url}")
