"""The op table: one row per op, from which the tests of values, gradients and errors are derived.

A new op is one row in op_rows/<family>.py; nothing else in the tests names ops. Every file there is read.
"""

import importlib
import pkgutil

import op_rows
from op_rows.row import Row

_FAMILIES = sorted(module.name for module in pkgutil.iter_modules(op_rows.__path__))

ROWS: tuple[Row, ...] = tuple(
    row
    for family in _FAMILIES
    for row in getattr(importlib.import_module(f"op_rows.{family}"), "ROWS", ())
)
BY_NAME = {row.name: row for row in ROWS}
