"""Walks the settings: every leaf, where it stands, what it takes and which variables set it."""

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from app.config.section import Section
from app.config.sections import Config
from app.config.values import Duration, Secret, parse_bool, parse_int, parse_objects

ENTRY = "<key>"
"""What stands in the name of a setting for a key of a map."""

_RUN_TOGETHER = ("security_notifications", "notifications")
"""Where the reference writes the words of every level without a line between them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the configuration: where it stands, what it takes, what it is for."""

    path: tuple[str, ...]
    type: Any
    default: Any
    description: str
    variables: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dotted name, as in the reference."""
        return ".".join(self.path)


def settings(section: type[Section] = Config, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Walk every leaf of the configuration in order."""
    for item in msgspec.structs.fields(section):
        here = (*path, item.name)
        if is_section(item.type):
            yield from settings(item.type, here)
            continue
        yield _setting(here, item)
        entry = entry_of(unwrap(item.type)[0])
        if entry is not None:
            yield from settings(entry, (*here, ENTRY))


def entry_of(kind: Any) -> type[Section] | None:  # noqa: ANN401  # any annotation
    """Give what the values of a map of sections are."""
    inner = get_args(kind)[-1] if get_origin(kind) is dict else None
    return inner if is_section(inner) else None


def is_section(kind: Any) -> typing.TypeGuard[type[Section]]:  # noqa: ANN401  # any annotation
    """Say whether an annotation is a section of settings."""
    return isinstance(kind, type) and issubclass(kind, Section)


def unwrap(annotation: Any) -> tuple[Any, msgspec.Meta | None]:  # noqa: ANN401  # any annotation
    """Part an annotation from what is said of it."""
    if get_origin(annotation) is Annotated:
        kind, *extras = get_args(annotation)
        return kind, next((m for m in extras if isinstance(m, msgspec.Meta)), None)
    return annotation, None


def parser_of(kind: Any) -> Callable[[str], Any] | None:  # noqa: ANN401  # any annotation
    """Say how an environment variable becomes a value of *kind*; None where it cannot."""
    if get_origin(kind) is list:
        objects = is_section(get_args(kind)[0])
        return parse_objects if objects else lambda text: text.split(",") if text.strip() else []
    if get_origin(kind) in (types.UnionType, typing.Union):
        return str
    if kind is bool:
        return parse_bool
    if kind is int:
        return parse_int
    return str if kind in (str, Secret, Duration) or get_origin(kind) is Literal else None


def _setting(path: tuple[str, ...], item: msgspec.structs.FieldInfo) -> Setting:
    kind, meta = unwrap(item.type)
    default = item.default
    if item.default_factory is not msgspec.NODEFAULT:
        default = item.default_factory()
    return Setting(
        path=path,
        type=kind,
        default=default,
        description=(meta.description or "") if meta else "",
        variables=_variables(path, meta) if parser_of(kind) and ENTRY not in path else (),
    )


def _variables(path: tuple[str, ...], meta: msgspec.Meta | None) -> tuple[str, ...]:
    """Give the regular name of the variable, and the reference's own where that is another one."""
    regular = "_".join(path).upper()
    own = (meta.extra or {}).get("env") if meta else None
    if path[:2] == _RUN_TOGETHER:
        own = "_".join(part.replace("_", "") for part in path).upper()
    return (regular, own) if own and own != regular else (regular,)
