"""Tests touch what a module offers, and its private names hardly anywhere.

A private name begins with one underscore. A test that reads one, replaces one or calls
one is bound to how a thing is made today. Each line that does it nevertheless is named
here, with its reason; the whole tree of tests is read, by its syntax.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from places import ROOT

LINES_MOST = 10
PRODUCT = [
    path
    for folder in ("firmware", "provisioning", "models")
    for path in (ROOT / folder).rglob("*.py")
]
TESTS = sorted({*(ROOT / "tests").rglob("*.py")} - {Path(__file__)})  # its samples
WORLDS = [path for path in TESTS if "worlds" in path.parts]
# Names that their library's own documentation offers.
PUBLIC = {"_exit", "_getframe", "_asdict", "_fields", "_make", "_replace"}
PART = re.compile(r"\.(_\w+)")
BY_NAME = {"getattr", "setattr", "delattr", "hasattr", "attrgetter", "patch", "object"}

# Each with the reason why a seam would be worse: "file name".
ALLOWED: dict[str, str] = {}


def is_private(name: str) -> bool:
    """``_name``; not ``__name__``, ``_`` or the ``_fields_`` of ctypes."""
    return bool(re.fullmatch(r"_[^\W_](\w*[^\W_])?", name)) and name not in PUBLIC


@dataclass
class Kind:
    """A class of the tests: what it defines itself, and what it is made from."""

    names: set[str] = field(default_factory=set)
    bases: list[str] = field(default_factory=list)


def defined_in(node: ast.ClassDef) -> Iterator[str]:
    """What the class defines: its methods, and what it puts into ``self``."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif (
            isinstance(each, ast.Attribute)
            and isinstance(each.ctx, ast.Store)
            and is_own(each)
        ):
            yield each.attr


def kinds_of(trees: Iterable[ast.AST]) -> dict[str, Kind]:
    return {
        node.name: Kind(set(defined_in(node)), bases_of(node))
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def bases_of(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(each) for each in node.bases]


def is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def names_in(kinds: dict[str, Kind], kind: str) -> set[str]:
    """What the class defines, or a class of the tests that it is made from."""
    rest, names = dict(kinds), set[str]()
    wanted = [kind]
    while wanted:
        found = rest.pop(wanted.pop().rpartition(".")[2], Kind())
        names |= found.names
        wanted += found.bases
    return names


def names_of_product(trees: Iterable[ast.AST]) -> set[str]:
    """Every private name that the product defines anywhere."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
    return {each for each in found if is_private(each)}


@dataclass
class Reader(ast.NodeVisitor):
    """Walks one file and notes each touch: its line and the name."""

    kinds: dict[str, Kind]  # of this file and of tests/worlds
    product: set[str]
    touches: list[tuple[int, str]] = field(default_factory=list)
    within: list[str] = field(default_factory=list)  # the classes around
    imported: set[str] = field(default_factory=set)  # from the product

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """What replaces a private part of the product's class that it is made from."""
        self.within.append(node.name)
        if self._is_of_product(node.name):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name in self.product:
                    self.touches.append((each.lineno, each.name))
        self.generic_visit(node)
        self.within.pop()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").startswith("doorsill"):
            self.imported |= {each.asname or each.name for each in node.names}
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """``getattr(it, "_name")``, of any library."""
        if ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
            for each in node.args:
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    name = each.value.rpartition(".")[2]
                    if is_private(name):
                        self.touches.append((each.lineno, name))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if is_private(node.attr) and not (is_own(node) and self._defines(node.attr)):
            self.touches.append((node.end_lineno or node.lineno, node.attr))
        self.generic_visit(node)

    def _defines(self, name: str) -> bool:
        """Whether the class that we are in has ``name`` from the tests alone."""
        if not self.within or name not in names_in(self.kinds, self.within[-1]):
            return False
        return not (self._is_of_product(self.within[-1]) and name in self.product)

    def _is_of_product(self, kind: str) -> bool:
        bases = self.kinds[kind].bases
        return any(each.split(".")[0] in self.imported for each in bases)

    def visit_alias(self, node: ast.alias) -> None:
        for each in node.name.split("."):
            if is_private(each):
                self.touches.append((node.lineno, each))

    def visit_Constant(self, node: ast.Constant) -> None:
        """A name to patch, or a program that another process runs."""
        if isinstance(node.value, str):
            self._read_text(node.value, node.lineno)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = (
            each.value if isinstance(each, ast.Constant) else "x"
            for each in node.values
        )
        self._read_text("".join(parts), node.lineno)
        for each in node.values:
            if not isinstance(each, ast.Constant):
                self.visit(each)

    def _read_text(self, text: str, line: int) -> None:
        if text in self.product:
            self.touches.append((line, text))
        elif "._" in text and (program := parsed(text)) is not None:
            inside = Reader({**self.kinds, **kinds_of([program])}, self.product)
            inside.visit(program)
            self.touches += [(line + at - 1, name) for at, name in inside.touches]
        elif any(each in text for each in ("import ", "lambda", ";")):
            found = PART.findall(text)  # a piece of a program
            self.touches += [(line, each) for each in found if each in self.product]


def parsed(text: str) -> ast.AST | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def touches_in(path: Path, worlds: dict[str, Kind], product: set[str]) -> set[str]:
    """``file:line name`` of each touch in the file at ``path``."""
    tree = ast.parse(path.read_text("utf-8"))
    reader = Reader({**worlds, **kinds_of([tree])}, product)
    reader.visit(tree)
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    return {f"{name}:{line} {touched}" for line, touched in reader.touches}


@pytest.fixture(scope="module")
def worlds() -> dict[str, Kind]:
    return kinds_of(ast.parse(path.read_text("utf-8")) for path in WORLDS)


@pytest.fixture(scope="module")
def product() -> set[str]:
    return names_of_product(ast.parse(path.read_text("utf-8")) for path in PRODUCT)


def test_private_names_are_touched_hardly_anywhere(
    worlds: dict[str, Kind], product: set[str]
) -> None:
    found = sorted(each for path in TESTS for each in touches_in(path, worlds, product))
    named = {re.sub(r":\d+", "", each) for each in found}
    assert [each for each in found if re.sub(r":\d+", "", each) not in ALLOWED] == []
    assert named == ALLOWED.keys(), "what is no longer touched is no longer allowed"
    assert len({each.split()[0] for each in found}) <= LINES_MOST


TOUCHES = [
    pytest.param("vault._sever()", ["_sever"], id="a call"),
    pytest.param("x = a.b._c.d", ["_c"], id="in the middle"),
    pytest.param("door._due = 0.0", ["_due"], id="set"),
    pytest.param(
        "from doorsill.vault.sealing import _derive", ["_derive"], id="import"
    ),
    pytest.param("import doorsill._hidden.x", ["_hidden"], id="import of a module"),
    pytest.param("p.setattr(sealing, '_derive', f)", ["_derive"], id="patched"),
    pytest.param("p.setattr('a.b._derive', f)", ["_derive"], id="patched by its path"),
    pytest.param("vars(keeper)['_sever']", ["_sever"], id="read as a table"),
    pytest.param("WHAT = (Keeper, '_sever', f)", ["_sever"], id="patched later"),
    pytest.param("getattr(parser, '_actions')", ["_actions"], id="of a library"),
    pytest.param("x = 'import a; a.b._c = 1'", ["_c"], id="in another process"),
    pytest.param("x = f'a.b({{y}}, {y}._c)'", ["_c"], id="in a text with values"),
    pytest.param("x = 'leak = lambda: a._sever(}'", ["_sever"], id="in half a program"),
    pytest.param("client._Client__x", ["_Client__x"], id="mangled"),
    pytest.param(
        "from doorsill.x import Disk\nclass D(Disk):\n def f(self): self._open()",
        ["_open"],
        id="of the product's class that a test's own is made from",
    ),
    pytest.param(
        "from doorsill.x import Disk\nclass D(Disk):\n def _sever(self): ...",
        ["_sever"],
        id="replaced by a class that is made from the product's",
    ),
    pytest.param("def f(self): return self._x", ["_x"], id="self of nobody"),
    pytest.param(
        "from doorsill.x import Disk\nclass D(Disk):\n def f(self): self._due = 1",
        ["_due"],
        id="set in a class that is made from the product's",
    ),
]
LEGITIMATE = [
    pytest.param("os._exit(0)", id="documented"),
    pytest.param("class P(ctypes.Structure): _fields_ = []", id="of ctypes"),
    pytest.param(
        "class A:\n def f(self): self._x = 1; self._g()\n def _g(self): ...",
        id="its own",
    ),
    pytest.param(
        "class A:\n def _g(self): ...\nclass B(A):\n def f(self): self._g()",
        id="its parent's, of the tests",
    ),
    pytest.param("def _helper(): ...\n_helper()", id="a function of the test file"),
    pytest.param("x = 'Attendant._sever waits'", id="words"),
    pytest.param("x = '_aarch64'; y.__dict__; _ = 1", id="no name of ours"),
]


@pytest.mark.parametrize(("text", "names"), TOUCHES)
def test_negative_control_a_touch_is_found(
    tmp_path: Path, product: set[str], text: str, names: list[str]
) -> None:
    (tmp_path / "test_x.py").write_text(text)
    found = touches_in(tmp_path / "test_x.py", {}, product)
    assert {each.split()[1] for each in found} == set(names)


@pytest.mark.parametrize("text", LEGITIMATE)
def test_what_is_no_touch_is_not_counted(
    tmp_path: Path, product: set[str], text: str
) -> None:
    (tmp_path / "test_x.py").write_text(text)
    assert touches_in(tmp_path / "test_x.py", {}, product) == set()
