"""Which calls in a source text may wait for ever: read from its syntax, not run.

A call is bounded where it says so itself (a time-out, ``WNOHANG``, ``LOCK_NB``). For
what reads a socket the file must set a time-out or make it non-blocking somewhere; what
cannot be seen from the syntax is listed in ``tests/house/test_waits.py``, with its
reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

# Calls that wait, by the last part of their name, and how many arguments bound them.
BOUNDED_BY_AN_ARGUMENT = {
    "wait": 1, "join": 1, "acquire": 1, "get": 1, "result": 1, "wait_for": 2,
    "communicate": 2, "select": 4, "urlopen": 3, "create_connection": 2,
}  # fmt: skip
BOUNDED_BY_TIMEOUT = {"run", "call", "check_call", "check_output"}  # of subprocess
OF_SOCKETS = {"accept", "recv", "recv_into", "recvfrom", "recvmsg", "recv_fds"}
NEVER = {"pause", "sigwait", "loop_forever", "loop_stop", "input", "getpass"}
PIPES = {"stdout", "stderr", "stdin"}  # of a child
READS = {"read", "readline", "readlines"}
# In a file that reads sockets, one of these.
BOUNDING = {"settimeout", "gettimeout", "setblocking", "select", "create_connection"}


@dataclass(frozen=True)
class Wait:
    """One call that may wait for ever."""

    place: str  # the function it stands in, with its class
    line: int
    text: str


def waits(source: str) -> list[Wait]:
    """Every call of ``source`` that may wait for ever, in order."""
    tree = ast.parse(source)
    calm, sql = _sets_a_bound(tree), _imported_from(tree, "sqlalchemy")
    found = []
    for place, node in _calls(tree, ""):
        if isinstance(node.func, ast.Name) and node.func.id in sql:
            continue  # its select makes a query
        if _may_wait(node, calm):
            found.append(Wait(place, node.lineno, ast.unparse(node)[:70]))
    for place, node in _contexts(tree, ""):
        found.append(Wait(place, node.lineno, "with " + ast.unparse(node)[:60]))
    for place, loop in _loops(tree, ""):
        found.append(Wait(place, loop.lineno, "for ... in " + ast.unparse(loop.iter)))
    return sorted(found, key=lambda wait: wait.line)


def _may_wait(call: ast.Call, calm: bool) -> bool:
    name, owner = _name(call.func), _owner(call.func)
    keywords = {each.arg for each in call.keywords}
    if None in keywords or any(isinstance(each, ast.Starred) for each in call.args):
        keywords.add("timeout")  # handed on; who hands it on is looked at
    if name == "accept" and call.args:
        return False  # not a socket's
    if name in OF_SOCKETS:
        return not calm
    if name == "select" and len(call.args) < 3:
        return False  # not the module's
    if name in NEVER:
        return True
    if name in READS and owner in PIPES:
        return True
    if name == "settimeout":
        return _is_none(call.args[0]) if call.args else False
    if name in ("flock", "lockf"):
        return not _mentions(call, "LOCK_NB", "LOCK_UN")
    if name == "waitpid":
        return not _mentions(call, "WNOHANG")
    if name == "SCardGetStatusChange":
        return _mentions(call, "INFINITE")
    if name in BOUNDED_BY_TIMEOUT and owner == "subprocess":
        return "timeout" not in keywords or _timeout_is_none(call)
    if name not in BOUNDED_BY_AN_ARGUMENT:
        return False
    if {"timeout", "blocking", "block"} & keywords:
        return _timeout_is_none(call)
    count = BOUNDED_BY_AN_ARGUMENT[name]
    return len(call.args) < count or _is_none(call.args[count - 1])


def _contexts(tree: ast.AST, place: str) -> Iterator[tuple[str, ast.Call]]:
    """``with Popen(...)``: leaving it waits for the child."""
    for where, node in _walk(tree, place):
        if isinstance(node, ast.With):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and _name(call.func) == "Popen":
                    yield where, call


def _loops(tree: ast.AST, place: str) -> Iterator[tuple[str, ast.For]]:
    """``for event in token.events()``: an iterator that ends only when it is closed."""
    for where, node in _walk(tree, place):
        if (
            isinstance(node, ast.For)
            and isinstance(node.iter, ast.Call)
            and _name(node.iter.func) in ("events", "levels")
        ):
            yield where, node


def _calls(tree: ast.AST, place: str) -> Iterator[tuple[str, ast.Call]]:
    for where, node in _walk(tree, place):
        if isinstance(node, ast.Call):
            yield where, node


def _walk(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for child in ast.iter_child_nodes(node):
        inner = place
        if isinstance(child, named):
            inner = f"{place}.{child.name}".lstrip(".")
        yield inner, child
        yield from _walk(child, inner)


def _sets_a_bound(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and _name(node.func) in BOUNDING
        and not (node.args and _is_none(node.args[0]))
        and not (_name(node.func) == "create_connection" and _may_wait(node, False))
        for node in ast.walk(tree)
    )


def _imported_from(tree: ast.AST, module: str) -> set[str]:
    """The names that ``from module import ...`` gives."""
    return {
        each.asname or each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for each in node.names
    }


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _owner(function: ast.expr) -> str:
    return _name(function.value) if isinstance(function, ast.Attribute) else ""


def _timeout_is_none(call: ast.Call) -> bool:
    return any(each.arg == "timeout" and _is_none(each.value) for each in call.keywords)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _mentions(call: ast.Call, *names: str) -> bool:
    return any(
        isinstance(node, ast.Attribute | ast.Name) and _name(node) in names
        for each in [*call.args, *(k.value for k in call.keywords)]
        for node in ast.walk(each)
    )
