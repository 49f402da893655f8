"""Reads YAML as the reference does: `true` and `false` alone are truths, and a key stands once."""

import re
from pathlib import Path
from typing import Any

import yaml


class UnreadableFile(Exception):
    """The file cannot be used; the message says where and why."""


class _Twice(yaml.YAMLError):
    """A key stands twice in one place."""


class _Loader(yaml.SafeLoader):
    """Knows the plain words of YAML 1.2: `on`, `no` and `12:30` are texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # as the class above has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's own
        """Make a map; refuse one that names a key twice, of which the first would be lost."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise _Twice(f"names '{name}' twice, at line {key.start_mark.line + 1} again")
            if name is not None:
                seen.add(name)
        return super().construct_mapping(node, deep=deep)


for _tag, _words, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"0|[-+]?[1-9][0-9]*|0o?[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_words})\Z"), list(_first)
    )


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a file of keys and values.

    Raises:
        UnreadableFile: It cannot be read, is no YAML, or holds something else.
    """
    try:
        values = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506  # a safe loader
    except OSError as error:
        raise UnreadableFile(f"cannot read {file}: {error.strerror}") from None
    except _Twice as error:
        raise UnreadableFile(f"{file} {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise UnreadableFile(f"{file} is not valid YAML{where}") from None
    if not isinstance(values, dict | None):
        raise UnreadableFile(f"{file} must hold keys and values")
    return values or {}
