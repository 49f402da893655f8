"""One who changes what belongs to a user at a time."""

from uuid import UUID

from app.persistence import fetch
from app.users.errors import UserNotFound

_LOCK = "SELECT id FROM app_user WHERE id = $1 FOR UPDATE"


async def lock_user(user_id: UUID) -> bool:
    """Let nobody else change or delete a user until the open transaction ends.

    Returns:
        Whether there is such a user.
    """
    return bool(await fetch(_LOCK, user_id))


async def lock_user_or_refuse(user_id: UUID) -> None:
    """Let nobody else change or delete a user, who is to be there, until the transaction ends.

    Raises:
        UserNotFound: There is no such user.
    """
    if not await lock_user(user_id):
        raise UserNotFound
