"""Reads the configuration once: defaults, then a YAML file, then the environment."""

import difflib
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import yaml

from app.config.check import refuse_contradictions
from app.config.sections import Config, Section
from app.config.values import Duration, Secret, parse_duration, print_duration
from app.errors import IdentityError

DEFAULT_FILE = Path("config/config.yaml")
_CLAIMS = ("session", "jwt_template", "claims")


class ConfigurationRefused(IdentityError):
    """The configuration cannot be used; the message says where and why."""

    code = "configuration_refused"
    message = "The configuration cannot be used."


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


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: A YAML file that must exist; without it `config/config.yaml` is read if it does.
        environment: Variables in place of the process's own.

    Raises:
        ConfigurationRefused: Something in it cannot be used.
    """
    values = _file_values(path)
    variables = os.environ if environment is None else environment  # noqa: TID251  # the one reader
    for setting in settings():
        _override(values, setting, variables)
    config = convert(values)
    refuse_contradictions(config, _refuse)
    return config


def convert(values: dict[str, Any]) -> Config:
    """Turn plain values into the typed configuration.

    Raises:
        ConfigurationRefused: A key is unknown or a value does not fit.
    """
    _refuse_unknown(values, Config, ())
    try:
        return msgspec.convert(_without_nulls(values), Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigurationRefused(_sentence(str(error))) from None


def show(config: Config) -> dict[str, Any]:
    """Give the configuration as plain values with every secret hidden."""
    hidden: dict[str, Any] = msgspec.to_builtins(config, enc_hook=_encode)
    return hidden


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the configuration file, for editors."""
    return msgspec.json.schema(Config, schema_hook=_schema)


def settings(section: type[Section] = Config, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Walk every leaf of the configuration in order."""
    for item in msgspec.structs.fields(section):
        here = (*path, item.name)
        if isinstance(item.type, type) and issubclass(item.type, Section):
            yield from settings(item.type, here)
        else:
            yield _setting(here, item)


def _setting(path: tuple[str, ...], item: msgspec.structs.FieldInfo) -> Setting:
    kind, meta = _unwrap(item.type)
    regular = "_".join(path).upper()
    reference = (meta.extra or {}).get("env") if meta else None
    default = item.default
    if item.default_factory is not msgspec.NODEFAULT:
        default = item.default_factory()
    variables = (regular, reference) if reference else (regular,)
    return Setting(
        path=path,
        type=kind,
        default=default,
        description=(meta.description or "") if meta else "",
        variables=variables if _parser(kind) else (),
    )


def _unwrap(annotation: Any) -> tuple[Any, msgspec.Meta | None]:  # noqa: ANN401  # any annotation
    if get_origin(annotation) is Annotated:
        kind, *extras = get_args(annotation)
        return kind, next((m for m in extras if isinstance(m, msgspec.Meta)), None)
    return annotation, None


def _file_values(path: Path | None) -> dict[str, Any]:
    file = path or DEFAULT_FILE
    if path is None and not file.exists():
        return {}
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        _refuse(f"cannot read {file}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        _refuse(f"{file} is not valid YAML{where}")
    if not isinstance(values, dict | None):
        _refuse(f"{file} must hold keys and values")
    return values or {}


def _override(values: dict[str, Any], setting: Setting, variables: Mapping[str, str]) -> None:
    given = {name: variables[name] for name in setting.variables if name in variables}
    parse = _parser(setting.type)
    if not given or parse is None:
        return
    if len(set(given.values())) > 1:
        _refuse(f"{' and '.join(given)} are both set and differ")
    name, text = next(iter(given.items()))
    try:
        value = parse(text)
    except ValueError as error:
        _refuse(f"{name}: {error}")
    node = values
    for key in setting.path[:-1]:
        node[key] = node[key] if isinstance(node.get(key), dict) else {}
        node = node[key]
    node[setting.path[-1]] = value


def _parser(kind: Any) -> Callable[[str], Any] | None:  # noqa: ANN401  # any annotation
    """Say how an environment variable becomes a value of *kind*; None where it cannot."""
    if get_origin(kind) is list:
        return lambda text: text.split(",") if text.strip() else []
    if get_origin(kind) in (types.UnionType, typing.Union):
        return str
    if kind is bool:
        return _parse_bool
    if kind is int:
        return _parse_int
    return str if kind in (str, Secret, Duration) or get_origin(kind) is Literal else None


def _parse_int(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("expected a whole number") from None


def _parse_bool(text: str) -> bool:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError("expected true or false")


def _refuse_unknown(values: Any, section: Any, path: tuple[str, ...]) -> None:  # noqa: ANN401
    if not (
        isinstance(values, dict) and isinstance(section, type) and issubclass(section, Section)
    ):
        return
    known = {item.name: _unwrap(item.type)[0] for item in msgspec.structs.fields(section)}
    for key, value in values.items():
        here = (*path, str(key))
        if key not in known:
            _refuse(f"unknown key '{'.'.join(here)}'{_hint(here)}")
        _refuse_unknown(value, known[key], here)


def _hint(path: tuple[str, ...]) -> str:
    moved = {"emails": "email", "smtp": "email_delivery.smtp"}
    if path[-1] in moved and len(path) == 1:
        return f"; it is now called '{moved[path[-1]]}'"
    names = {s.name for s in settings()}
    names |= {".".join(s.path[:n]) for s in settings() for n in range(1, len(s.path))}
    close = difflib.get_close_matches(".".join(path), sorted(names), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _without_nulls(value: Any, path: tuple[str, ...] = ()) -> Any:  # noqa: ANN401  # plain YAML
    """Leave out keys without a value, as if they were not there; in claims null is a value."""
    if isinstance(value, dict) and path != _CLAIMS:
        return {k: _without_nulls(v, (*path, k)) for k, v in value.items() if v is not None}
    return value


def _decode(kind: type, value: Any) -> Any:  # noqa: ANN401  # msgspec's hook
    if kind is Secret and isinstance(value, str | int):
        return Secret(str(value))
    if kind is Duration and (isinstance(value, str) or value == 0):
        return parse_duration(str(value))
    raise ValueError("expected a text such as '12h'" if kind is Duration else "expected a text")


def _encode(value: Any) -> Any:  # noqa: ANN401  # msgspec's hook
    return print_duration(value) if isinstance(value, Duration) else str(value)


def _schema(kind: type) -> dict[str, Any]:
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    return {"type": "string", "examples": ["12h", "1h30m"]}


def _sentence(text: str) -> str:
    """Turn msgspec's message into ours: the dotted place first."""
    problem, _, place = text.partition(" - at `$.")
    return f"{place.rstrip('`')}: {problem}" if place else problem


def _refuse(why: str) -> typing.NoReturn:
    raise ConfigurationRefused(why)
