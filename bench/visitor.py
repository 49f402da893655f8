"""Somebody who walks a flow over the wire, on a connection of their own, and times each step."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Self

from bench.asking import HOST

NO_DEVICE = {"webauthn_available": False}
_AGENT = f"Host: {HOST}\r\nUser-Agent: bench\r\nAccept: application/json\r\n"


@dataclass(slots=True)
class Visitor:
    """A connection, and the flow that runs on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    step: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """What the last step took, from the first byte sent to the last one received."""

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Open the connection."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def begin(self, kind: str) -> None:
        """Begin a flow, and say that this device knows no passkeys."""
        await self._post(f"/{kind}", "")
        await self.act("register_client_capabilities", **NO_DEVICE)

    async def act(self, action: str, *, status: int = 200, **inputs: Any) -> None:
        """Run an action.

        Raises:
            RuntimeError: The state does not offer it, or its answer has another status.
        """
        offered = self.step["actions"].get(action)
        if offered is None:
            raise RuntimeError(f"{self.step['name']} offers no {action}")
        body = {"input_data": inputs, "csrf_token": self.step["csrf_token"]}
        await self._post(offered["href"], json.dumps(body), status)

    async def skip_to_the_end(self) -> None:
        """Decline what is offered after signing in.

        Raises:
            RuntimeError: The flow does not end well.
        """
        while self.step["name"] != "success":
            await self.act("skip")

    def close(self) -> None:
        """Hang up."""
        self.writer.close()

    async def _post(self, path: str, body: str, status: int = 200) -> None:
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        request = f"POST {path} HTTP/1.1\r\n{_AGENT}{head}\r\n{body}".encode()
        began = time.perf_counter()
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        at = head.index("content-length:") + 15
        text = await self.reader.readexactly(int(head[at : head.index("\r", at)]))
        self.seconds = time.perf_counter() - began
        if not head.startswith(f"http/1.1 {status}"):
            raise RuntimeError(f"{path} was answered {head[:16]}: {text[:300]!r}")
        self.step = json.loads(text)
