"""One who changes what belongs to a user at a time."""

from uuid import UUID

from app.persistence import fetch

_LOCK = "SELECT id FROM app_user WHERE id = $1 FOR UPDATE"


async def lock_user(user_id: UUID) -> bool:
    """Let nobody else change or delete a user until the open transaction ends.

    Returns:
        Whether there is such a user.
    """
    return bool(await fetch(_LOCK, user_id))
