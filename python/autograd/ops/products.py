"""Products of vectors, matrices and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from .._capi import ArgumentError, argument_error, call, lib, not_null, raise_last_error
from ..binding import function_only, method, op, public_names
from ..dtypes import bool_
from ..operands import handles, ints_argument, must_be_sequence, must_be_tensors
from ..tensor import Tensor, tensor_classes

_matmul = lib.ag_matmul


@op
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Returns the matrix product as PyTorch defines it: of vectors, matrices, and batches that broadcast."""
    return call(lib.ag_matmul, input, other)


@op
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of two matrices, [m, k] x [k, n] -> [m, n]."""
    return call(lib.ag_mm, input, mat2)


@op
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the products of two batches of matrices, [B, m, k] x [B, k, n] -> [B, m, n]."""
    return call(lib.ag_bmm, input, mat2)


@op
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Returns the product of a matrix and a vector, [m, k] x [k] -> [m]."""
    return call(lib.ag_mv, input, vec)


@op
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Returns the sum of the products of two vectors of the same size and dtype."""
    return call(lib.ag_dot, input, tensor)


@op
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Returns the dot product; the conjugate of the first vector is that vector, since there are no complex ones."""
    return call(lib.ag_vdot, input, other)


@op
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Returns the products of all pairs of elements of two vectors, [m] x [n] -> [m, n]."""
    return call(lib.ag_outer, input, vec2)


@op
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """Returns outer(input, vec2)."""
    return call(lib.ag_outer, input, vec2)


@op
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Returns the sums of products over the last dims of both; the product if one is 0-d."""
    return call(lib.ag_inner, input, other)


@op
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Returns beta * input + alpha * (mat1 x mat2); input broadcasts to [m, n] and is not read if beta is 0."""
    return call(lib.ag_addmm, input, mat1, mat2, beta, alpha)


@op
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Returns beta * input + alpha * bmm(batch1, batch2); input broadcasts to [B, m, n]."""
    return call(lib.ag_baddbmm, input, batch1, batch2, beta, alpha)


@op
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Returns beta * input + alpha * sum over the batch of batch1 x batch2; input broadcasts to [m, n]."""
    return call(lib.ag_addbmm, input, batch1, batch2, beta, alpha)


@op
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Returns beta * input + alpha * (mat x vec); input broadcasts to [m]."""
    return call(lib.ag_addmv, input, mat, vec, beta, alpha)


@op
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Returns beta * input + alpha * outer(vec1, vec2); input broadcasts to [m, n]."""
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if isinstance(factor, bool) and isinstance(input, Tensor) and input.dtype is not bool_:
            raise RuntimeError(
                f"addr: Boolean {name} only supported for Boolean results, got {factor}"
            )
    return call(lib.ag_addr, input, vec1, vec2, beta, alpha)


def _in_place(function: Callable[..., Tensor]) -> None:
    """Makes Tensor.<name>_, which replaces the elements of the first argument by the result."""

    def update(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        return self.copy_(function(self, *arguments, **options))

    update.__doc__ = (
        f"Replaces the elements by those of {function.__name__}() and returns the tensor itself."
    )
    method(update, f"{function.__name__}_")


for _added in (addmm, baddbmm, addbmm, addmv, addr):
    _in_place(_added)


def _subscript(n: Any) -> str:
    if n is Ellipsis:
        return "..."
    if isinstance(n, int) and 0 <= n < 26:
        return chr(ord("A") + n)
    if isinstance(n, int) and 26 <= n < 52:
        return chr(ord("a") + n - 26)
    raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Equation and operands of einsum(operand, subscripts, operand, subscripts, ..., output subscripts)."""
    equation = ",".join("".join(map(_subscript, subscripts)) for subscripts in args[1::2])
    if len(args) % 2 == 0:
        return equation, args[::2]
    return f"{equation}->{''.join(map(_subscript, args[-1]))}", args[:-1:2]


@function_only
def einsum(*args: Any) -> Tensor:
    """Returns the sum of the product of the operands over the subscripts that the output lacks.

    einsum("...ij,...jk->...ik", a, b), or with subscripts as lists, einsum(a, [0, 1], b, [1, 2], [0, 2]). A subscript
    that an operand repeats takes its diagonal; without "->" the output has the subscripts that occur once, in
    alphabetical order, after the dims under "...". Operands are contracted from left to right, each pair as one
    (batched) matrix product. Raises RuntimeError for a wrong equation or sizes that do not fit.
    """
    if len(args) < 2 or (len(args) == 2 and isinstance(args[1], (list, tuple)) and not args[1]):
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, "
            "or at least one operand and its subscripts list"
        )
    equation, operands = (
        _from_lists(args) if isinstance(args[0], Tensor) else (args[0], tuple(args[1:]))
    )
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise TypeError(f"einsum(): argument 'equation' must be str, not {type(equation).__name__}")
    tensors = handles("einsum", "operands", operands)
    return call(
        lib.ag_einsum,
        equation.replace("\0", "?").encode("ascii", "replace"),
        tensors,
        len(operands),
    )


@function_only
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Returns the contraction of dims of a with dims of b; the dims that are left follow in order.

    dims is a number, n for the last n dims of a and the first n of b, or two lists of dims (or an int tensor with two
    rows). Raises RuntimeError if contracted sizes differ.
    """
    must_be_tensors("tensordot", a=a, b=b)
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims.numel() > 1 else int(dims.item())
    if isinstance(dims, (tuple, list)):
        if len(dims) != 2:
            raise ValueError(
                f"tensordot expects dims to be int or two lists of dims, but got dims={dims}"
            )
        dims_a, dims_b = dims
    else:
        if not isinstance(dims, int):
            raise RuntimeError(
                "tensordot expects dims to be int or tuple[list[int], list[int]] or "
                f"list[list[int]] containing two lists, but got dims={dims}"
            )
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims_a, dims_b = list(range(-dims, 0)), list(range(dims))
    places = ints_argument("tensordot", "dims_self", dims_a)
    return call(lib.ag_tensordot, a, b, *places, *ints_argument("tensordot", "dims_other", dims_b))


@op
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Returns the Kronecker product: every element of input times all of other; sizes multiply."""
    return call(lib.ag_kron, input, other)


@op
def trace(input: Tensor) -> Tensor:
    """Returns the sum of a matrix's diagonal; integers are summed as int64."""
    return call(lib.ag_trace, input)


@function_only
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Returns the product of matrices, multiplied in the cheapest order."""
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Returns the product of two or more matrices in the order that costs least; the ends may be vectors.

    Raises RuntimeError if neighbours do not fit.
    """
    must_be_sequence("linalg_multi_dot", "tensors", tensors, "Tensors")
    return call(lib.ag_multi_dot, handles("multi_dot", "tensors", tensors), len(tensors))


def _matmul_operator(self: Tensor, other: Any) -> Tensor:
    if type(other) not in tensor_classes:
        return NotImplemented
    result = _matmul(self, other)
    if not_null(result):
        return result
    raise_last_error()


def _matmul_reflected(self: Tensor, other: Any) -> Tensor:
    if not isinstance(other, Tensor):
        return NotImplemented
    try:
        result = _matmul(other, self)
    except ArgumentError as error:
        raise argument_error(_matmul, (other, self), error) from None
    if not_null(result):
        return result
    raise_last_error()


method(_matmul_operator, "__matmul__")
method(_matmul_reflected, "__rmatmul__")

__all__ = public_names(globals())
