"""Development's mailbox: what would have been sent, as a page and as JSON.

It shows addresses and codes, so it is on the admin listener alone, under that listener's rules for
hosts, and not there at all in production or with an SMTP server. The page loads nothing, runs no
script, and shows each mail's HTML in a frame that may do nothing either.
"""

import base64
import hashlib
from datetime import datetime
from html import escape
from typing import Any

from litestar import MediaType, Request, Response, get
from msgspec import Struct

from app.errors import NotFound
from app.http import asked_of
from app.ids import parse_id
from app.mail import KeptMail, Mailbox
from app.rest.given import PathText, Services

_STYLE = """
:root { color-scheme: light dark; --paper: #f4f4f5; --card: #fff; --ink: #18181b; --dim: #52525b;
  --line: #d4d4d8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #18181b; --card: #27272a; --ink: #f4f4f5; --dim: #a1a1aa; --line: #3f3f46; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 0; font-size: 1.125rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 1rem; color: var(--dim); overflow-wrap: anywhere; }
a { color: inherit; }
article { margin: 1rem 0; padding: 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }
pre { margin: 0 0 1rem; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { min-height: 1.75rem; color: var(--dim); cursor: pointer; }
iframe { width: 100%; height: 26rem; border: 1px solid var(--line); border-radius: .25rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Our own style and frames alone."""

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "  # mails bring their own style
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""A mail's own HTML: no script, no form, no other host, framed by our page alone."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox · {service}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><h1>Mailbox</h1><a href="/mailbox">Reload</a></header>
<p>What {service} would have sent, newest first. Development keeps mail here until
<code>email_delivery.smtp.host</code> is set.</p>
<main>
{mails}
</main>
</body>
</html>
"""
_MAIL = """<article>
<h2 dir="auto">{subject}</h2>
<p>to {to} · <time datetime="{time}">{shown}</time></p>
<pre dir="auto">{text}</pre>
<details>
<summary>HTML</summary>
<iframe src="/mailbox/{id}" title="{subject}" sandbox loading="lazy"></iframe>
</details>
</article>"""
_NONE = "<article><h2>No mail yet</h2></article>"


class Mail(Struct):
    """A mail as JSON tells it."""

    to: str
    subject: str
    text: str
    html: str
    sent_at: datetime


@get("/mailbox", tags=["mailbox"])
async def page(request: Request[Any, Any, Any], services: Services) -> Response[Any]:
    """Show the newest mails: a page, or a list for who accepts JSON."""
    mails = await _mailbox(services).newest()
    accept = asked_of(request.scope).header(b"accept")  # type: ignore[arg-type]  # a scope is a dict
    if "application/json" in accept and "text/html" not in accept:
        shown = [Mail(m.to, m.subject, m.text, m.html, m.sent_at) for m in mails]
        return Response(shown, headers={"vary": "Accept"})
    return _html(_page(services.config.service.name, mails), PAGE_POLICY)


@get("/mailbox/{mail_id:str}", tags=["mailbox"])
async def mail_alone(mail_id: PathText, services: Services) -> Response[bytes]:
    """Give the HTML of one mail, for the frame on the page."""
    known = parse_id(mail_id)
    found = await _mailbox(services).by_id(known) if known else None
    if found is None:
        raise NotFound("There is no such mail.")
    return _html(found.html.encode(), MAIL_POLICY)


def _mailbox(services: Services) -> Mailbox:
    if services.mail.mailbox is None:
        raise NotFound("There is no mailbox here.")
    return services.mail.mailbox


def _page(service: str, mails: list[KeptMail]) -> bytes:
    shown = "\n".join(_article(mail) for mail in mails) or _NONE
    return _PAGE.format(service=escape(service), style=_STYLE, mails=shown).encode()


def _article(mail: KeptMail) -> str:
    return _MAIL.format(
        id=mail.id,
        subject=escape(mail.subject),
        to=escape(mail.to),
        time=mail.sent_at.isoformat(),
        shown=f"{mail.sent_at:%Y-%m-%d %H:%M:%S} UTC",
        text=escape(mail.text.strip()),
    )


def _html(content: bytes, policy: str) -> Response[bytes]:
    headers = {"content-security-policy": policy, "vary": "Accept"}
    return Response(content, media_type=MediaType.HTML, headers=headers)
