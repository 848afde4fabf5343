"""Small changes to a module, each of which some test ought to notice.

A change is one place in the source and what stands there instead: a comparison that
takes one value more, a bound that is one higher, a refusal that is left out.
Docstrings, annotations, log lines and the words of messages are not changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
REPLACED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Div: "*"}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
WORDS = ("log",)  # calls on these say something and decide nothing


@dataclass(frozen=True, slots=True)
class Change:
    """``new`` instead of the characters ``start`` to ``end`` of the source."""

    start: int
    end: int
    new: str
    line: int
    where: str  # the function that it is in
    old: str

    def __str__(self) -> str:
        old, new = (" ".join(each.split()) for each in (self.old, self.new))
        return f"{self.where}: {old[:60]} -> {new[:60]}"

    def applied(self, source: str) -> str:
        """``source`` with this change."""
        return source[: self.start] + self.new + source[self.end :]


def changes_of(source: str) -> list[Change]:
    """Every change that this module can make to ``source``, in its order."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    found = {(each.start, each.end, each.new): each for each in finder.found}
    return sorted(found.values(), key=lambda each: (each.start, each.end, each.new))


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line.encode()))
        self._bytes = source.encode()
        self._where: list[str] = []
        self.found: list[Change] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node.name, node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node.name, node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """The words of a message."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """Left out as a whole; its words are not looked into."""
        if node.exc is not None:
            self._note(node, "pass")

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _only_says(node.value):
            return
        if isinstance(node.value, ast.Call):
            self._note(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(each, ast.Attribute) for each in node.targets):
            self._note(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._note(node, "pass")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if not isinstance(node.test, ast.Compare | ast.BoolOp) and not _typing(node):
            self._note(node.test, f"not ({self._text(node.test)})")
        if not _typing(node):
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        parts = [node.left, *node.comparators]
        for number, operator in enumerate(node.ops):
            new = COMPARED.get(type(operator))
            left, right = parts[number], parts[number + 1]
            if new is not None:
                start, end = self._end(left), self._start(right)
                gap = self._between(start, end)
                self._put(start, end, _with_operator(gap, new), node.lineno, gap)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word, other = (
            (" and ", " or ")
            if isinstance(node.op, ast.And)
            else (
                " or ",
                " and ",
            )
        )
        first, second = node.values[0], node.values[1]
        start, end = self._end(first), self._start(second)
        gap = self._between(start, end)
        if word.strip() in gap.split():
            new = gap.replace(word.strip(), other.strip(), 1)
            self._put(start, end, new, node.lineno, gap)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._note(node, f"bool({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        new = REPLACED.get(type(node.op))
        text = isinstance(node.left, ast.JoinedStr) or isinstance(
            getattr(node.left, "value", None), str
        )
        if new is not None and not text:
            start, end = self._end(node.left), self._start(node.right)
            gap = self._between(start, end)
            self._put(start, end, _with_operator(gap, new), node.lineno, gap)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if type(node.value) is bool:
            self._note(node, str(not node.value))
        elif type(node.value) is int:
            self._note(node, str(node.value + 1))
        elif type(node.value) is float:
            self._note(node, repr(node.value * 2 + 1))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in SWAPPED:
            self._note(node.func, SWAPPED[node.func.id])
        self.generic_visit(node)

    def _inside(self, name: str, body: list[ast.stmt]) -> None:
        self._where.append(name)
        for each in body:
            self.visit(each)
        self._where.pop()

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _between(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self._between(self._start(node), self._end(node))

    def _note(self, node: ast.expr | ast.stmt, new: str) -> None:
        start, end = self._start(node), self._end(node)
        self._put(start, end, new, node.lineno, self._text(node))

    def _put(self, start: int, end: int, new: str, line: int, old: str) -> None:
        first, last = (len(self._bytes[:at].decode()) for at in (start, end))
        where = ".".join(self._where) or "module"
        self.found.append(Change(first, last, new, line, where, old))


def _with_operator(gap: str, new: str) -> str:
    """``gap``, the operator with its spaces and brackets, with another operator."""
    old = gap.strip(" \n\t()")
    return gap.replace(old, new, 1)


def _only_says(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in WORDS
    )


def _typing(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def functions_only(changes: list[Change], names: tuple[str, ...]) -> Iterator[Change]:
    """Those inside the named functions or classes; all where none is named."""
    for each in changes:
        if not names or each.where.split(".")[0] in names:
            yield each
