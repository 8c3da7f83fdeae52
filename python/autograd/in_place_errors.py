"""Words for "modified by an inplace operation": reads the line that made the change and says what to write instead."""

from __future__ import annotations

import ast
import linecache
import re

_CHANGE = re.compile(r"changed in place by '(?P<op>\w+)' at (?P<file>.+):(?P<line>\d+)\. (?=Use )")

_SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
# Methods without a form that makes a new tensor, and what does.
_INSTEAD = {
    "zero_": "ag.zeros_like({0})",
    "fill_": "ag.full_like({0}, {1})",
    "copy_": "{1}.clone()",
}


def with_fix(message: str) -> str:
    """The message, its advice replaced by what to write on the line that made the change, if that can be told."""
    found = _CHANGE.search(message)
    if found is None:
        return message
    advice = _advice(linecache.getline(found["file"], int(found["line"])).strip())
    return message[: found.end()] + advice if advice else message


def _advice(line: str) -> str | None:
    statement = _parsed(line)
    if statement is None:
        return None
    for node in ast.walk(statement):
        advice = None
        if isinstance(node, ast.AugAssign):
            advice = _for_augmented(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            advice = _clone_before(node.targets[0], node)
        elif isinstance(node, ast.Call):
            advice = _for_call(node, statement)
        if advice:
            return advice
    return None


def _parsed(line: str) -> ast.stmt | None:
    """The first statement of a line, which may be the head of a block or the end of a call over several lines."""
    for text in (line, line + " pass", line.split(": ", 1)[-1], line.rstrip(")")):
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError):
            continue
        return body[0] if body else None
    return None


def _for_augmented(node: ast.AugAssign) -> str | None:
    sign = _SIGNS.get(type(node.op))
    if isinstance(node.target, ast.Subscript):
        return _clone_before(node.target, node)
    if sign is None:
        return None
    target, value = ast.unparse(node.target), ast.unparse(node.value)
    if isinstance(node.value, (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda)):
        value = f"({value})"
    return f"Write `{target} = {target} {sign} {value}` instead of `{ast.unparse(node)}`"


def _clone_before(target: ast.expr, node: ast.AST) -> str:
    """For a change of a part: the whole has to be copied first."""
    name = ast.unparse(_root(target))
    return f"Write `{name} = {name}.clone()` before `{ast.unparse(node)}`"


def _for_call(node: ast.Call, statement: ast.stmt) -> str | None:
    shown = ast.unparse(node)
    for keyword in node.keywords:
        if keyword.arg == "inplace" and getattr(keyword.value, "value", None) is True:
            return f"Write `inplace=False` instead of `inplace=True` in `{shown}`"
    name = getattr(node.func, "attr", "")
    if not name.endswith("_") or name.endswith("__"):
        return None
    owner = node.func.value  # type: ignore[attr-defined]
    if not isinstance(owner, (ast.Name, ast.Attribute)) or getattr(owner, "attr", "") == "data":
        return _clone_before(owner, node)
    values = [ast.unparse(owner), *map(ast.unparse, node.args)]
    if name in _INSTEAD:
        if len(values) < 1 + _INSTEAD[name].count("{1}"):
            return None
        instead = _INSTEAD[name].format(*values)
    else:
        instead = ast.unparse(node).replace(f".{name}(", f".{name[:-1]}(", 1)
    if isinstance(statement, ast.Expr) and statement.value is node:
        instead = f"{values[0]} = {instead}"
    return f"Write `{instead}` instead of `{shown}`"


def _root(node: ast.expr) -> ast.expr:
    """The variable behind views of it: ``y`` for ``y[0].t()`` and ``y.data``."""
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Attribute) and node.attr in ("data", "T", "mT"):
            node = node.value
        else:
            return node
