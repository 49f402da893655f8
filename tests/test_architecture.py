"""The rules of the house that no tool knows, and that every promise of security has its test."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = sorted(p for p in (ROOT / "app").rglob("*.py"))
MIGRATIONS = sorted((ROOT / "piccolo_migrations").glob("*.py"))
FACES = [path for path in APP if path.relative_to(ROOT).parts[1] in ("graphql", "rest", "http")]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

PROMISED = [  # the numbers that the running identity API answers for
    *range(5, 127),
    *range(129, 141),
]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


# Layers


def test_every_import_goes_down_the_layers():
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
    ]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "Contracts: 3 kept, 0 broken." in linted.stdout


def test_every_package_stands_in_a_layer():
    project = (ROOT / "pyproject.toml").read_text()
    layers = set(re.findall(r'^    "([a-z0-9_| ]+)",$', project, re.MULTILINE))
    named = {name.strip() for layer in layers for name in layer.split("|")}
    present = {path.relative_to(ROOT / "app").parts[0].removesuffix(".py") for path in APP}
    assert present - {"__init__"} <= named


def test_no_face_calls_a_query_method():
    methods = {
        *("select", "objects", "insert", "exists", "where", "order_by", "returning", "is_in"),
        *("alter", "save", "remove", "get_or_create", "get_related", "refresh", "to_dict"),
        *("fetch", "fetch_row", "fetch_composed", "transaction", "savepoint", "exclusive"),
    }
    found = [
        place(path, call)
        for path in FACES
        for call in calls(path)
        if (getattr(call.func, "attr", None) or getattr(call.func, "id", None)) in methods
    ]
    assert found == []


def test_no_face_names_a_table():
    tables = {
        node.name
        for path in APP
        if path.name == "tables.py"
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef)
    }
    assert {"User", "SessionRow", "UserMetadata"} <= tables
    imported = [
        place(path, node)
        for path in FACES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".tables")
    ]
    assert imported == []


def test_one_module_alone_reads_the_environment():
    readers = {
        str(path.relative_to(ROOT))
        for path in [*APP, *MIGRATIONS]
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        or (isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv"))
    }
    assert readers == {"app/config/load.py"}


def test_no_package_is_named_after_a_technical_layer():
    packages = {part for path in APP for part in path.relative_to(ROOT).parts[:-1]}
    layers = {"models", "schemas", "repositories", "core", "common", "utils", "helpers"}
    assert packages & layers == set()


# Statements


class Text:
    """Judges whether the text of a statement comes from code alone.

    A text does so if it is a literal, or put together from such texts: joined, added, formatted,
    taken from a literal table, chosen between; or if it is a name and everything the name can mean
    here does so. A parameter means what the callers in its module hand over. Numbers from
    `itertools.count` are as good as a literal. Everything else may be input.
    """

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path, self._tree = path, tree
        self._parents = {
            child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
        }

    def is_code(self, node: ast.expr, seen: frozenset[ast.AST] = frozenset()) -> bool:
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        parts = [] if node in seen else list(self._parts(node, seen | {node}))
        return bool(parts) and all(self.is_code(part, seen | {node}) for part in parts)

    def _parts(self, node: ast.expr, seen: frozenset[ast.AST]) -> Iterator[ast.expr]:
        """What a text is put together from, or taken from; nothing where that is not known."""
        match node:
            case ast.JoinedStr():
                yield from node.values
            case ast.FormattedValue():
                yield node.value
            case ast.BinOp(op=ast.Add()):
                yield from (node.left, node.right)
            case ast.IfExp():
                yield from (node.body, node.orelse)
            case ast.Subscript():
                yield from self._elements(node.value, 1, seen)
            case ast.Call(func=ast.Attribute(attr="join" | "replace")):
                yield node.func.value
                for argument in node.args:
                    yield from self._items(argument, seen)
            case ast.Call(func=ast.Name(id="next"), args=[ast.Name() as counter]):
                yield ast.Constant("1") if self._is_counter(counter) else UNKNOWN
            case ast.Name():
                yield from self._meanings(node, seen)

    def _items(self, node: ast.expr, seen: frozenset[ast.AST]) -> list[ast.expr]:
        """What a `join` strings together: the elements of a sequence, or the text itself."""
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return [node.elt]
        return list(self._elements(node, 0, seen)) or [node]

    def _elements(self, node: ast.expr, index: int, seen: frozenset[ast.AST]) -> Iterator[ast.expr]:
        """What a literal tuple, list or table holds; of a table its keys (0) or its values (1)."""
        match node:
            case ast.Tuple() | ast.List():
                yield from node.elts
            case ast.Dict():
                yield from [one for one in (node.keys, node.values)[index] if one is not None]
            case ast.Name():
                for meaning in self._meanings(node, seen):
                    yield from self._elements(meaning, index, seen)
            case ast.Call(func=ast.Attribute(attr="items"), args=[]):
                yield from self._elements(node.func.value, index, seen)
            case ast.Call(func=ast.Attribute(attr="split"), args=[ast.Constant()]):
                yield node.func.value  # each part of a text is as good as the text
            case ast.Call(func=ast.Name(id="reversed" | "sorted"), args=[inner]):
                yield from self._elements(inner, index, seen)
            case _:
                yield node

    def _meanings(self, name: ast.Name, seen: frozenset[ast.AST]) -> Iterator[ast.expr]:
        """Everything a name can stand for where it is used, as far as that is known."""
        scope = self._scope(name)
        bound = list(self._bound(scope, name.id, seen))
        if not bound and isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            bound = list(self._handed_over(scope, name.id))
            bound = bound or list(self._bound(self._tree, name.id, seen))
        yield from bound or list(self._imported(name.id)) or [UNKNOWN]

    def _bound(self, scope: ast.AST, wanted: str, seen: frozenset[ast.AST]) -> Iterator[ast.expr]:
        for node in ast.walk(scope):
            if node is not scope and self._scope(node) is not scope:
                continue
            match node:
                case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                    if isinstance(target, ast.Name) and target.id == wanted and node.value:
                        yield node.value
                case ast.AugAssign(target=ast.Name(id=name)) if name == wanted:
                    yield node.value
                case ast.For() | ast.AsyncFor() | ast.comprehension():
                    yield from self._looped(node.target, node.iter, wanted, seen)
                case ast.NamedExpr(target=ast.Name(id=name)) if name == wanted:
                    yield node.value

    def _looped(
        self, target: ast.expr, source: ast.expr, wanted: str, seen: frozenset[ast.AST]
    ) -> Iterator[ast.expr]:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        for index, name in enumerate(names):
            if not (isinstance(name, ast.Name) and name.id == wanted):
                continue
            for element in self._elements(source, index, seen):
                is_row = isinstance(target, ast.Tuple) and isinstance(element, ast.Tuple)
                yield element.elts[index] if is_row else element

    def _handed_over(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, wanted: str
    ) -> Iterator[ast.expr]:
        """What the callers in this module give for a parameter."""
        names = [argument.arg for argument in function.args.args]
        if wanted not in names or not function.name.startswith("_"):
            return
        for call in ast.walk(self._tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == function.name:
                yield from call.args[names.index(wanted) : names.index(wanted) + 1]
                yield from (k.value for k in call.keywords if k.arg == wanted)

    def _imported(self, wanted: str) -> Iterator[ast.expr]:
        for node in self._tree.body:
            if isinstance(node, ast.ImportFrom) and wanted in [
                a.asname or a.name for a in node.names
            ]:
                path = ROOT / f"{(node.module or '').replace('.', '/')}.py"
                if path.is_file():
                    there = Text(path, tree_of(path))
                    yield from there._bound(there._tree, wanted, frozenset())

    def _is_counter(self, name: ast.Name) -> bool:
        made = [ast.unparse(one) for one in self._meanings(name, frozenset())]
        return bool(made) and all(one.startswith("itertools.count(") for one in made)

    def _scope(self, node: ast.AST) -> ast.AST:
        """The function, or else the module, that a node stands in."""
        while (node := self._parents.get(node, self._tree)) is not self._tree:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return node
        return self._tree


UNKNOWN = ast.Constant(None)
SINKS = ("fetch", "fetch_row", "in_parts", "QueryString")
ENGINES = [ROOT / "app" / "persistence" / name for name in ("postgres.py", "sqlite.py")]


def composed_of_input(path: Path, tree: ast.Module) -> list[str]:
    """Where a statement's text may hold more than code."""
    text = Text(path, tree)
    return [
        place(path, call)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in SINKS
        and not (call.args and text.is_code(call.args[0]))
    ]


def test_the_text_of_every_statement_comes_from_code_alone_sec_121():
    passing_on = [*ENGINES, ROOT / "app" / "sweeping.py"]  # what `in_parts` is given is looked at
    checked = [path for path in [*APP, *MIGRATIONS] if path not in passing_on]
    statements = [
        call for path in checked for call in calls(path) if getattr(call.func, "id", "") in SINKS
    ]
    assert len(statements) > 30
    assert [at for path in checked for at in composed_of_input(path, tree_of(path))] == []


@pytest.mark.parametrize(
    "code",
    [
        'fetch(f"SELECT 1 FROM t WHERE id = {user_id}")',
        'fetch("SELECT 1 FROM t WHERE id = %s" % user_id)',
        'fetch("SELECT 1 FROM t WHERE id = {}".format(user_id))',
        'fetch("SELECT 1 FROM t WHERE id = " + user_id)',
        "fetch(user_id)",
        "fetch(str(user_id))",
        'QueryString("SELECT 1 ORDER BY " + order.column)',
        'sql = "SELECT 1"; sql += user_id; fetch_row(sql)',
        "sql = CONSTANT if user_id else user_id; fetch(sql)",
        'fetch(" AND ".join(user_id for _ in "ab"))',
        'fetch(" AND ".join(wishes))',
        "fetch(CONSTANT.replace('1', user_id))",
        "fetch(f'SAVEPOINT {next(wishes)}')",
        "_helper(user_id)",
        "[fetch(sql) for sql in wishes]",
        "[fetch(sql) for sql, _ in ((user_id, 1),)]",
        "fetch({'a': user_id}['a'])",
        "fetch(*wishes)",
        "fetch()",
    ],
)
def test_a_value_in_the_text_of_a_statement_is_found_sec_121(code):
    module = f"""
CONSTANT = "SELECT 1"
def use(user_id, order, wishes):
    {code}
def _helper(sql):
    fetch(sql)
def good():
    _helper("SELECT 2")
"""
    assert len(composed_of_input(ROOT / "example.py", ast.parse(module))) == 1


def test_only_the_engines_speak_to_a_driver_sec_121():
    methods = {"execute", "executemany", "executescript", "fetchrow", "fetchval", "raw"}
    found = [
        place(path, call)
        for path in [*APP, *MIGRATIONS]
        if path not in ENGINES
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr in methods
    ]
    assert found == []
    assert {path.name for path in APP if _imports(path) & {"sqlite3", "asyncpg"}} == {
        engine.name for engine in ENGINES
    }


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(tree_of(path)))
    plain = {a.name.partition(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    return plain | {
        (n.module or "").partition(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)
    }


# Promises


def promises_kept() -> set[int]:
    """The numbers that stand in the name or the docstring of a test."""
    tests = [
        node
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    named = [n for test in tests for n in re.findall(r"sec((?:_\d{3})+)(?=_|$)", test.name)]
    told = [n for test in tests for n in re.findall(r"SEC-(\d{3})", ast.get_docstring(test) or "")]
    return {int(number) for numbers in named + told for number in numbers.split("_") if number}


def test_every_promise_of_security_is_named_by_a_test():
    kept = promises_kept()
    assert [f"SEC-{number:03}" for number in PROMISED if number not in kept] == []
