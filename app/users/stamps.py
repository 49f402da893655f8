"""The security stamp of an account: a number that rises with whatever changes what opens it.

Who has shown a factor under one stamp has shown nothing under the next (SEC-027, SEC-032). So
whoever writes a password, a credential, an app, recovery codes, an identity, an address or a user
name raises it in the same transaction, and so does the end of all sessions.
"""

from uuid import UUID

from app.persistence import fetch

_RAISE = "UPDATE app_user SET security_stamp = security_stamp + 1 WHERE id = $1"
_READ = "SELECT security_stamp FROM app_user WHERE id = $1 FOR UPDATE"


async def raise_stamp(user_id: UUID) -> None:
    """Let what was shown for an account before count no more."""
    await fetch(_RAISE, user_id)


async def read_stamp(user_id: UUID) -> int | None:
    """Read an account's stamp and lock its row, so that the stamp holds for the transaction."""
    rows = await fetch(_READ, user_id)
    return rows[0]["security_stamp"] if rows else None
