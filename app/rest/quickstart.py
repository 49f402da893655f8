"""The quickstart page, in development."""

import secrets

from litestar import MediaType, Response, get

from app.config import Config, parse_listener
from app.quickstart import Quickstart, policy
from app.rest.given import Services


@get("/quickstart", include_in_schema=False)
async def page(services: Services) -> Response[bytes]:
    """Show the published components of the reference against this server."""
    nonce = secrets.token_urlsafe(16)
    config = services.config
    content = Quickstart(config.service.name, _mailbox(config)).page(nonce)
    headers = {"content-security-policy": policy(nonce)}
    return Response(content, media_type=MediaType.HTML, headers=headers)


def _mailbox(config: Config) -> str | None:
    """Give the URL of the mailbox, where there is one."""
    port = parse_listener(config.server.admin.address)[1]
    return f"http://localhost:{port}/mailbox" if config.keeps_mailbox else None
