"""The JSON Schemas of the two files, for editors and for who writes them."""

from typing import Any

import msgspec

from app.transfer.hanko import HankoUser
from app.transfer.reading import Format
from app.transfer.records import UserRecord

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Format) -> dict[str, Any]:
    """Give the schema: of Hanko's whole file, or of a line of ours that is a user."""
    if kind == "hanko":
        title = "Users in Hanko's format"
        return {"$schema": _DIALECT, "title": title, **msgspec.json.schema(list[HankoUser])}
    title = "A user: a line of an export, behind its header"
    return {"$schema": _DIALECT, "title": title, **msgspec.json.schema(UserRecord)}
