"""What every section of the settings is made of."""

from typing import Any

from msgspec import Meta, Struct


def about(text: str, *, env: str | None = None, **limits: Any) -> Meta:  # noqa: ANN401  # Meta's own
    """Describe a setting; *limits* are msgspec's (ge, le, min_length ...)."""
    return Meta(description=text, extra={"env": env} if env else None, **limits)


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings that refuses keys it does not know."""
