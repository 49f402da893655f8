"""The page at /quickstart: sign up, sign in, look at one's profile and at `me`.

It is for development alone. The components write style elements of their own into their shadow
trees, and give them the nonce that their element bears: so every answer has a nonce of its own,
and no other inline style is let in.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from app.bundles import Bundle

_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'{nonce}; "
    "img-src data:; "  # the QR code of an authenticator app
    "connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)

BUNDLE = Bundle(Path(__file__).parent / "static", "/quickstart/assets/", _POLICY.format(nonce=""))

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Quickstart · {service}</title>
<link rel="icon" href="data:,">
{head}</head>
<body>
{body}</body>
</html>
"""
_LINKS = '<link rel="stylesheet" href="{style}">\n<script type="module" src="{script}"></script>\n'
_BUILT = """<header>
<h1>{service}</h1>
<nav><a href="/graphql">GraphiQL</a>{mailbox}</nav>
</header>
<main>
<section id="component"></section>
<section id="me" aria-labelledby="me-title">
<h2 id="me-title">Who you are</h2>
<p>What <code>{{ me {{ … }} }}</code> of the GraphQL API answers to this browser.</p>
<pre aria-live="polite"></pre>
</section>
</main>
<template id="signed-out">
<hanko-auth lang="en" nonce="{nonce}"></hanko-auth>
{hint}
</template>
<template id="signed-in">
<hanko-profile lang="en" nonce="{nonce}"></hanko-profile>
<button type="button">Sign out</button>
</template>
<noscript>The quickstart needs JavaScript.</noscript>
"""
_MAILBOX = (
    ' <a href="{url}" target="_blank" rel="noopener">Mailbox</a>'  # a flow ends with its page
)
_ANY_ADDRESS = "<p>Any address will do: what is mailed to it stays in the mailbox.</p>"
_NOT_BUILT = (
    "<p>The quickstart is not built yet: run <code>make quickstart</code>, then restart the "
    "server.</p>\n"
)


@dataclass(frozen=True, slots=True)
class Quickstart:
    """Writes the page for one deployment."""

    service: str
    mailbox: str | None
    """The URL of the mailbox, which another listener has; None where mail is really sent."""
    bundle: Bundle = BUNDLE

    def page(self, nonce: str) -> bytes:
        """Write the page: the components, or one sentence that says how to build them."""
        urls, service = self.bundle.urls(), escape(self.service)
        if urls is None:
            return _PAGE.format(service=service, head="", body=_NOT_BUILT).encode()
        head = _LINKS.format(**{part: escape(url) for part, url in urls.items()})
        mailbox = _MAILBOX.format(url=escape(self.mailbox)) if self.mailbox else ""
        hint = _ANY_ADDRESS if self.mailbox else ""
        body = _BUILT.format(service=service, mailbox=mailbox, hint=hint, nonce=escape(nonce))
        return _PAGE.format(service=service, head=head, body=body).encode()


def policy(nonce: str) -> str:
    """Give the policy of a page whose styles bear *nonce*: no other host, no inline script."""
    return _POLICY.format(nonce=f" 'nonce-{nonce}'")
