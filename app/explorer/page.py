"""The page that a browser gets at /graphql, and the files that the page loads."""

from functools import cache
from html import escape
from pathlib import Path

from app.bundles import Bundle

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "worker-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the editor writes style elements and attributes
    "img-src 'self' data:; "  # the editor draws its squiggles as data: images
    "font-src 'self'; "
    "connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The policy for the page and its assets: no other host, no inline script, no framing."""

BUNDLE = Bundle(Path(__file__).parent / "static", "/graphql/assets/", CONTENT_SECURITY_POLICY)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>GraphQL · Sekisho</title>
<link rel="icon" href="data:,">
{head}</head>
<body>
{body}</body>
</html>
"""
_LINKS = '<link rel="stylesheet" href="{style}">\n<script type="module" src="{script}"></script>\n'
_BUILT = '<div id="explorer"></div>\n<noscript>The explorer needs JavaScript.</noscript>\n'
_NOT_BUILT = (
    "<p>The GraphQL explorer is not built yet: run <code>make explorer</code>, then restart the "
    "server.</p>\n"
)


@cache
def page(bundle: Bundle = BUNDLE) -> bytes:
    """Write the page: the explorer, or one sentence that says how to build it."""
    urls = bundle.urls()
    if urls is None:
        return _PAGE.format(head="", body=_NOT_BUILT).encode()
    head = _LINKS.format(**{part: escape(url) for part, url in urls.items()})
    return _PAGE.format(head=head, body=_BUILT).encode()
