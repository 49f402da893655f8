"""Reads the configuration once: defaults, then a YAML file, then the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from app.config.advice import advice
from app.config.check import refuse_contradictions
from app.config.fit import Path as Place
from app.config.fit import decode, fitted
from app.config.moved import (
    bring_within,
    choose_database,
    choose_saml_target,
    leave_empty_ones,
    look_at_variables,
    lowered,
    put_in_place,
)
from app.config.sections import Config
from app.config.settings import Setting, parser_of, settings
from app.config.values import Duration, Secret, print_duration
from app.config.yamlfile import UnreadableFile, read_yaml
from app.errors import IdentityError

DEFAULT_FILE = Path("config/config.yaml")


class ConfigurationRefused(IdentityError):
    """The configuration cannot be used; the message says where and why.

    Attributes:
        problems: All that is wrong, a sentence each.
    """

    code = "configuration_refused"
    message = "The configuration cannot be used."

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        more = len(self.problems) - 1
        rest = f" (`sekisho config check` tells {more} more)" if more > 0 else ""
        super().__init__(f"{self.problems[0]}{rest}")


@dataclass(frozen=True, slots=True)
class Reading:
    """The configuration, and what there is to say of it although it can be used."""

    config: Config
    warnings: tuple[str, ...]


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: A YAML file that must exist; without it `config/config.yaml` is read if it does.
        environment: Variables in place of the process's own.

    Raises:
        ConfigurationRefused: Something in it cannot be used.
    """
    return read(path, environment).config


def read(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Reading:
    """Read the configuration, with warnings about what is odd in it.

    Raises:
        ConfigurationRefused: Something in it cannot be used; it says all of it.
    """
    variables = os.environ if environment is None else environment  # noqa: TID251  # the one reader
    problems: list[str] = []
    warnings: list[str] = []
    values = lowered(_file_values(path), problems)
    put_in_place(values, warnings, problems)
    look_at_variables(variables, warnings, problems)
    unread = [one.path for one in settings() if not _override(values, one, variables, problems)]
    choose_database(values, warnings)
    leave_empty_ones(values)
    bring_within(values, warnings)
    choose_saml_target(values, warnings)
    config = _converted(values, problems, unread)
    contradictions: list[str] = []
    refuse_contradictions(config, contradictions.append)
    problems += (one for one in contradictions if not _rests_on(one, unread))
    if problems:
        raise ConfigurationRefused(*problems)
    return Reading(config, (*warnings, *advice(config)))


def convert(values: dict[str, Any]) -> Config:
    """Turn plain values into the typed configuration.

    Raises:
        ConfigurationRefused: A key is unknown or a value does not fit.
    """
    problems: list[str] = []
    config = _converted(values, problems, [])
    if problems:
        raise ConfigurationRefused(*problems)
    return config


def _converted(values: dict[str, Any], problems: list[str], unread: list[Place]) -> Config:
    """Convert what can be read; a setting that cannot has its default."""
    found = fitted(values, Config, problems, unread)
    try:
        return msgspec.convert(found, Config, strict=False, dec_hook=decode)
    except msgspec.ValidationError:
        raise ConfigurationRefused(*problems) from None


def _rests_on(contradiction: str, unread: list[Place]) -> bool:
    """Say whether a contradiction names a setting that could not be read: it may be none then."""
    return any(".".join(path) in contradiction and name in contradiction for *path, name in unread)


def show(config: Config) -> dict[str, Any]:
    """Give the configuration as plain values with every secret hidden."""
    hidden: dict[str, Any] = plain(config)
    for hook in hidden["webhooks"]["hooks"]:
        place, mark, _ = hook["callback"].partition("?")
        hook["callback"] = f"{place}?{Secret(mark)}" if mark else place
    return hidden


def plain(value: Any) -> Any:  # noqa: ANN401  # any value of a setting
    """Give a value as YAML knows it, with every secret hidden."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the configuration file, for editors."""
    return msgspec.json.schema(Config, schema_hook=_schema)


def _file_values(path: Path | None) -> dict[str, Any]:
    file = path or DEFAULT_FILE
    if path is None and not file.exists():
        return {}
    try:
        return read_yaml(file)
    except UnreadableFile as error:
        raise ConfigurationRefused(str(error)) from None


def _override(
    values: dict[str, Any],
    setting: Setting,
    variables: Mapping[str, str],
    problems: list[str],
) -> bool:
    """Put the value of a variable in the place of the file's; say whether it could be read."""
    given = {name: variables[name] for name in setting.variables if name in variables}
    parse = parser_of(setting.type)
    if not given or parse is None:
        return True
    if len(set(given.values())) > 1:
        problems.append(f"{' and '.join(given)} are both set and differ")
        return False
    name, text = next(iter(given.items()))
    try:
        value = parse(text)
    except ValueError as error:
        problems.append(f"{name}: {error}")
        return False
    node = values
    for key in setting.path[:-1]:
        node[key] = node[key] if isinstance(node.get(key), dict) else {}
        node = node[key]
    node[setting.path[-1]] = value
    return True


def _encode(value: Any) -> Any:  # noqa: ANN401  # msgspec's hook
    return print_duration(value) if isinstance(value, Duration) else str(value)


def _schema(kind: type) -> dict[str, Any]:
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    return {"type": "string", "examples": ["12h", "1h30m"]}
