"""The op table: one row per op, from which the tests of values, gradients and errors are derived.

A new op is one row in op_rows/<family>.py; nothing else in the tests names ops.
"""

from op_rows import create, loss, pointwise, product, reduce, shape
from op_rows.row import Row

ROWS: tuple[Row, ...] = (
    *create.ROWS,
    *pointwise.ROWS,
    *product.ROWS,
    *reduce.ROWS,
    *shape.ROWS,
    *loss.ROWS,
)
BY_NAME = {row.name: row for row in ROWS}
