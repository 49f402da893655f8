"""Look-ups of names, each in a thread of its own.

Nobody can call off a look-up: one that is given up goes on for as long as the system waits for the
name servers. So whoever asks for a name that is being looked up waits for that same answer, which
leaves one thread to a name that hangs; and no thread holds up the end of the process.
"""

import asyncio
import ipaddress
import socket
import threading
from concurrent.futures import Future

MOST = 128
"""Names that are looked up at the same time."""


class LookUps:
    """Look-ups that share their threads with no others, so that none of those holds them up.

    Args:
        most: How many names are looked up at the same time; beyond it no name is.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._under_way: dict[str, Future[list[str]]] = {}
        self._lock = threading.Lock()

    async def resolve(self, host: str, port: int) -> list[str]:  # noqa: ARG002  # a Resolve
        """Ask the system for the addresses of a name; an address stands for itself.

        Raises:
            OSError: The name leads nowhere, or too many are being looked up.
            ValueError: It cannot be a name.
        """
        if _is_address(host):
            return [host]
        return await asyncio.wrap_future(self._look_up(host))

    def _look_up(self, host: str) -> Future[list[str]]:
        with self._lock:
            found = self._under_way.get(host)
            if found is not None:
                return found
            if len(self._under_way) >= self._most:
                raise OSError("Too many names are being looked up.")
            answer: Future[list[str]] = Future()
            answer.set_running_or_notify_cancel()  # who gives up does so for oneself alone
            threading.Thread(
                target=self._ask, args=(host, answer), name="look-up", daemon=True
            ).start()
            self._under_way[host] = answer
            return answer

    def _ask(self, host: str, answer: Future[list[str]]) -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001  # it is for who asks
            self._forget(host)
            answer.set_exception(error)
        else:
            self._forget(host)
            answer.set_result([str(entry[4][0]) for entry in entries])

    def _forget(self, host: str) -> None:
        with self._lock:
            del self._under_way[host]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
