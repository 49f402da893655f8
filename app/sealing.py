"""What the services below the keys need of them, to keep texts from who reads the database."""

from typing import Protocol


class Sealing(Protocol):
    """Keeps texts from whoever reads the database (SEC-119)."""

    def seal(self, text: str, place: str) -> str:
        """Seal a text for the place it belongs to."""

    def open(self, sealed: str, place: str) -> str:
        """Open what was sealed for a place.

        Raises:
            IdentityError: It does not open.
        """
