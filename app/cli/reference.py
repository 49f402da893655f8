"""The help of the whole command line: in sections on a terminal, and as a page of Markdown."""

from collections.abc import Iterator
from importlib import import_module

import click

_INTRODUCTION = """\
# Command line

Every command, printed by `sekisho reference`.

`--config FILE` names a YAML file, before the command or after it; `--json`, after the command, has
it print JSON for programs: all take it but `serve` and those that print a document. What a command
tells goes to the standard output; refusals, logs and progress go to the standard error. Long work
shows its progress on a terminal.

| Exit status | Meaning |
| --- | --- |
| 0 | Done |
| 1 | Refused, with one sentence for each reason |
| 2 | Misused: no such command, option or argument |
| 3 | Done in part: some entries of an import or a conversion were refused |
| 130 | Interrupted |"""
_EVERYWHERE = ("help", "config_file", "as_json", "version")
_HEAD = "| Option | Meaning |\n| --- | --- |"


class Sections(click.Group):
    """A group whose help lists its commands in sections, each loaded when it is asked for.

    A health check runs every few seconds and must not load the whole product.

    Attributes:
        sections: For each section the names of its commands, each with the module that it is in.
        option: What every command can be given beside its own.
    """

    def __init__(self, *, option: click.Option, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own
        self.sections: dict[str, dict[str, str]] = {}
        self.option = option

    def add(self, section: str, **modules: str) -> None:
        """Add commands to a section: the name of each, and the module of `app.cli` that has it."""
        self.sections[section] = modules

    def load(self) -> dict[str, click.Command]:
        """Load every command, and give them by their names."""
        return {
            name: self._load(name, module)
            for modules in self.sections.values()
            for name, module in modules.items()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own
        """List the names of the commands, section by section."""
        return [name for modules in self.sections.values() for name in modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        for modules in self.sections.values():
            if cmd_name in modules:
                return self._load(cmd_name, modules[cmd_name])
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own
        """Write the commands, section by section."""
        commands = self.load()
        width = max(len(name) for name in commands)
        limit = formatter.width - width - 6
        for section, modules in self.sections.items():
            rows = [(n.ljust(width), commands[n].get_short_help_str(limit)) for n in modules]
            with formatter.section(section):
                formatter.write_dl(rows)

    def _load(self, name: str, module: str) -> click.Command:
        if name not in self.commands:
            command: click.Command = getattr(import_module(f"app.cli.{module}"), name)
            for _, leaf in leaves(command):
                leaf.params.append(self.option)
            self.add_command(command)
        return self.commands[name]


@click.command()
@click.pass_context
def reference(context: click.Context) -> None:
    """Print the reference of every command, as Markdown."""
    root = context.find_root()
    assert isinstance(root.command, Sections)  # noqa: S101  # what this is a command of
    click.echo("\n\n".join([_INTRODUCTION, *_sections(root.command)]))


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Walk the commands that do something, each with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    children = command.load() if isinstance(command, Sections) else command.commands
    for name, child in children.items():
        yield from leaves(child, *path, name)


def _sections(root: Sections) -> Iterator[str]:
    commands = root.load()
    for section, modules in root.sections.items():
        yield f"## {section}"
        for name in modules:
            for path, leaf in leaves(commands[name], "sekisho", name):
                yield from _command(path, leaf)


def _command(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    arguments = [
        one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)
    ]
    yield f"### `{' '.join([*path, *arguments])}`"
    yield "\n\n".join(_paragraphs(command.help or ""))
    options = [
        one
        for one in command.params
        if isinstance(one, click.Option) and one.name not in _EVERYWHERE
    ]
    if options:
        yield "\n".join([_HEAD, *(_row(one, context) for one in options)])


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield " ".join(paragraph.split())


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    names, meaning = record or (", ".join(option.opts), option.help or "")
    escaped = [" ".join(cell.split()).replace("|", r"\|") for cell in (names, meaning)]
    return f"| `{escaped[0]}` | {escaped[1]} |"
