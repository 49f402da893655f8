"""The template language of claims: text with actions between double braces (`text/template`).

A template is read into a tree once and the tree is kept; running it evaluates nothing but that
tree. What it can do is bounded: the length of the template (`MAX_SOURCE`) and of what it writes
(`MAX_TEXT`), how deep it goes, and the work of one run (`MAX_WORK`), so that no template and no
data holds up the server (SEC-124).

Where the language would show how its engine keeps values, it says less here: no verb of `printf`
prints an address or the fields of an object, which always appears as its text.
"""

from functools import lru_cache

from app.claims.gotemplate_parser import MAX_SOURCE, parse
from app.claims.gotemplate_runner import MAX_WORK, allowance, run
from app.claims.gotemplate_tree import Templates
from app.claims.gotemplate_values import MAX_TEXT

__all__ = ["MAX_SOURCE", "MAX_TEXT", "MAX_WORK", "render", "tree"]

_REMEMBERED = 128


def render(source: str, data: object) -> str:
    """Run a template on plain JSON values, or on objects made for templates.

    Raises:
        TemplateSyntaxError: The template cannot be read.
        TemplateRunError: It fails for this data, or would do more than a template may.
    """
    return run(tree(source), data, allowance())


@lru_cache(_REMEMBERED)
def tree(source: str, *, shortcodes: bool = False) -> Templates:
    """Read a template, or give the tree of one read before.

    Raises:
        TemplateSyntaxError: It cannot be read.
    """
    return parse(source, shortcodes=shortcodes)
