"""How long a request may take once it is there whole (SEC-125)."""

import asyncio

from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

from app.errors import Unavailable

SECONDS = 10.0


def within_time(app: ASGIApp) -> ASGIApp:
    """Cancel what takes too long, with its database work.

    What the body takes does not count: its connection bounds that.
    """

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()

        async def receiving() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            limit.reschedule(None)
            message = await receive()
            limit.reschedule(loop.time() + SECONDS)
            return message

        try:
            async with asyncio.timeout(SECONDS) as limit:
                await app(scope, receiving, send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable("The request took too long.") from None

    return timed
