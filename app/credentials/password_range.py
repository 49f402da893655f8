"""The client of an API that lists breached passwords by the first digits of their hash."""

import httpx2

from app.config import sections
from app.outbound import ANYWHERE, Limits, Outbound, Reach

_HEADERS = {"Add-Padding": "true"}


class Unanswered(OSError):  # as the other ways of getting no answer
    """The API's answer cannot be used."""


class PasswordRange:
    """Asks for ranges, at public addresses unless told otherwise."""

    def __init__(self, config: sections.BreachCheck) -> None:
        self._url = config.url.rstrip("/")
        reach = ANYWHERE if config.allow_private_addresses else Reach()
        self._outbound = Outbound.within(reach, Limits(seconds=config.timeout.total_seconds()))

    async def suffixes(self, prefix: str) -> bytes:
        """Give the lines for a prefix.

        Raises:
            OSError: There is no answer in time, or none that can be used.
        """
        try:
            answer = await self._outbound.client.get(f"{self._url}/{prefix}", headers=_HEADERS)
        except httpx2.TransportError as error:
            raise Unanswered("The API gives no answer.") from error
        if answer.status_code != httpx2.codes.OK:
            raise Unanswered(f"The API answers with status {answer.status_code}.")
        return answer.content

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()
