"""The help of the whole command line: in sections on a terminal, and as a page of Markdown."""

from collections.abc import Iterator

import click

_INTRODUCTION = """\
# Command line

Every command, printed by `sekisho reference`.

`--config FILE` names a YAML file, before the command or after it; `--json` has a command print JSON
for programs. What a command tells goes to the standard output; refusals, logs and progress go to
the standard error. Long work shows its progress on a terminal.

| Exit status | Meaning |
| --- | --- |
| 0 | Done |
| 1 | Refused, with one sentence for each reason |
| 2 | Misused: no such command, option or argument |
| 3 | Done in part: some entries of an import were refused |
| 130 | Interrupted |"""
_EVERYWHERE = ("help", "config_file", "as_json", "version")
_HEAD = "| Option | Meaning |\n| --- | --- |"


class Sections(click.Group):
    """A group whose help lists its commands in sections."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own
        self.sections: dict[str, list[click.Command]] = {}

    def add(self, section: str, *commands: click.Command) -> None:
        """Add commands to a section."""
        for command in commands:
            self.add_command(command)
            self.sections.setdefault(section, []).append(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own
        """Write the commands, section by section."""
        width = max(len(name) for name in self.commands)
        limit = formatter.width - width - 6
        for section, commands in self.sections.items():
            rows = [(str(c.name).ljust(width), c.get_short_help_str(limit)) for c in commands]
            with formatter.section(section):
                formatter.write_dl(rows)


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
    for name, child in command.commands.items():
        yield from leaves(child, *path, name)


def _sections(root: Sections) -> Iterator[str]:
    for section, commands in root.sections.items():
        yield f"## {section}"
        for command in commands:
            for path, leaf in leaves(command, "sekisho", str(command.name)):
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
