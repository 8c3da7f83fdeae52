"""What a call gives here and in PyTorch, and the differences that are meant.

A difference is one of class: who accepts the call, and which class of error refuses it; or, where both accept it, one
of values. Each rule says why some are as they should be; docs/support.md tells users of those that they may meet.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from compare import same
from mutated_calls import Call, outcome_of
from mutated_layers import (
    LAYERS,
    bad_constructions,
    bad_inputs,
    construct,
    endless_in_pytorch,
    forward,
    good_arguments,
    good_inputs,
)
from op_table import ROWS

import autograd as ag

# PyTorch reads behind the ends of weights and pivots that are too few, which may end the process.
PYTORCH_CRASHES = {"lstm", "gru", "lu_unpack"}
# It reads and writes behind the ends of tensors, too, where lengths or targets are wrong, which are errors here.
PYTORCH_MAY_CRASH = {"nn.functional.ctc_loss", "nn.CTCLoss.forward"}
# Two libraries draw two numbers.
RANDOM = {(row.path or row.name).rpartition(".")[2].rstrip("_") for row in ROWS if row.random}


class Rule(NamedTuple):
    """Patterns of a call, of what comes of it here, and in PyTorch, as ``outcome`` words them."""

    why: str
    call: str
    ours: str
    theirs: str


_ANY, _ERROR, _OK = ".*", r"\w+Error: ", "ok"
_STUMBLES = (
    r"TypeError: (unsupported operand|unhashable type|object of type|len\(\) of|iteration over|can't concat|"
    r"can only concatenate|'.*' object (is not|cannot))"
)

RULES = [
    # ---- PyTorch's Python code stumbles over what it was given
    Rule(
        "an error of PyTorch's own",
        _ANY,
        _ERROR,
        "(AttributeError|UnboundLocalError|AssertionError|KeyError|UFuncTypeError): ",
    ),
    Rule(
        "an assertion inside PyTorch",
        _ANY,
        _ANY,
        ".*(INTERNAL ASSERT|internal error|isIntegral|setStorage)",
    ),
    Rule("an operator of Python's", _ANY, _ANY, _STUMBLES),
    Rule(
        "the truth of a tensor or an array",
        _ANY,
        _ANY,
        r"RuntimeError: Boolean value of Tensor|ValueError: (The truth value|operands could not)",
    ),
    # ---- what there is not
    Rule("no complex numbers", _ANY, r"\w+Error: .*complex", _ANY),
    Rule("no out", _ANY, r"TypeError: .*(argument 'out'|multiple values)", _ANY),
    Rule("numbers beyond 64 bits", _ANY, r".*(Overflow|too big|64 bits|without overflow)", _ANY),
    Rule(
        "numbers beyond 64 bits, as floats",
        _ANY,
        _ANY,
        ".*(Overflow|too big to convert|negative int to unsigned|without overflow)",
    ),
    # ---- which of an error's classes
    Rule(
        "a wrong rank",
        _ANY,
        "RuntimeError: ",
        "IndexError: (Dimension out of range|Dimension specified as|tuple index out of range)",
    ),
    Rule(
        "a kernel that is not there",
        _ANY,
        "(RuntimeError|NotImplementedError): ",
        "(RuntimeError|NotImplementedError): ",
    ),
    Rule(
        "two faults: the dim is looked at first", _ANY, "IndexError: Dimension out of range", _ERROR
    ),
    Rule(
        "two faults: nothing to index, and a wrong index",
        _ANY,
        "(IndexError|RuntimeError): ",
        "(IndexError|RuntimeError): .*(indexing axis dim|dimension with size 0|cannot be concatenated)",
    ),
    Rule(
        "two faults of logits and targets",
        r".*(nll_loss|cross_entropy|multilabel_soft_margin_loss|rms_norm)\(",
        "(ValueError|IndexError): ",
        "(RuntimeError|IndexError|NotImplementedError): ",
    ),
    Rule(
        "two faults of a tensor in place of a dim",
        r".*(max|min|tile|take_along_dim|repeat_interleave|movedim)\(",
        "RuntimeError: ",
        "TypeError: ",
    ),
    Rule("bytes are no text", _ANY, "TypeError: .*not bytes", _ERROR),
    Rule(
        "text is no sequence of sizes, nor is a dict",
        _ANY,
        "TypeError: .*not (str|dict|NoneType|bool|int)",
        "(RuntimeError|ValueError): ",
    ),
    Rule("a probability that is NaN", r".*dropout\w*\(", "ValueError: ", "RuntimeError: "),
    Rule("what is no data", r"tensor\(", "(RuntimeError|TypeError): ", "(TypeError|ValueError): "),
    Rule(
        "indices out of bounds, whose class PyTorch has by the path it takes",
        r".*index_add\(",
        "RuntimeError: index ",
        "IndexError: index",
    ),
    Rule("text in the place of a dtype", r"randperm\(", "RuntimeError: device", "TypeError: "),
    Rule("gelu's own error", r".*gelu\(", "RuntimeError: ", "TypeError: .*positional"),
    Rule("two faults of a variance", r".*gaussian_nll_loss\(", "RuntimeError: ", "ValueError: "),
    Rule(
        "two faults of windows, whose number PyTorch finds out by unpacking",
        r".*(lp_pool|LPPool|max_unpool|MaxUnpool)\dd",
        "(RuntimeError|TypeError): ",
        "(ValueError|IndexError|TypeError): ",
    ),
    Rule(
        "sizes that are no sequence, whose length PyTorch looks at",
        r".*affine_grid\(",
        "TypeError: ",
        "(NotImplementedError|ValueError|RuntimeError): ",
    ),
    # ---- more than PyTorch takes
    Rule("None for what is left out", ".*(None|dtype=True|'text')", _OK, "TypeError: "),
    Rule(
        "one int for a sequence of one",
        r".*(flip|tile|permute|reshape|unflatten)\(",
        "(ok|RuntimeError: |IndexError: |NotImplementedError: )",
        "TypeError: .*must be tuple of ints",
    ),
    Rule("dtypes that PyTorch has no kernel for", _ANY, _OK, "NotImplementedError: "),
    Rule(
        "by name what PyTorch takes by place only",
        r".*(max|min|std|var|std_mean|var_mean|sort|argsort|sum|mean|prod|clamp|relu|randint)\(",
        "(ok|RuntimeError: )",
        "TypeError: ",
    ),
    Rule("no dims to reduce, which changes nothing", r".*logsumexp\(", _OK, "RuntimeError: "),
    Rule("a 0-d tensor has one dim", r".*repeat_interleave\(", _OK, "IndexError: "),
    Rule(
        "leading dims of size 1, as x[...] = y takes them",
        r".*index_put\(",
        _OK,
        "RuntimeError: shape mismatch",
    ),
    Rule("tensors inside of lists", r"tensor\(", _OK, "(ValueError|TypeError): "),
    Rule(
        "one int for each dim",
        r".*(lp_pool|LPPool|max_unpool|MaxUnpool)\dd",
        _OK,
        "(RuntimeError|TypeError|ValueError|IndexError): ",
    ),
    Rule("integers of NumPy", r".*np\.int64", _OK, "TypeError: "),
    Rule(
        "classes as uint8, of any rank",
        r".*(nll_loss|cross_entropy)\(.*uint8",
        _OK,
        "RuntimeError: ",
    ),
    Rule("windows that only fit with padding", r".*avg_pool3d\(", _OK, "RuntimeError: input image"),
    Rule(
        "a vector from the right, and a number as a tensor of one",
        r"linalg\.(solve|tensorinv)\(",
        _OK,
        "RuntimeError: ",
    ),
    Rule("a mask that is a number", r".*scaled_dot_product_attention\(", _OK, "IndexError: "),
    Rule("a bool tensor is an index, as Python has it", r".*bool\[\]", "(ok|\\w+Error: )", _ERROR),
    # ---- what PyTorch takes more
    Rule(
        "a number is no tensor",
        r".*(gaussian_nll_loss|multilabel_soft_margin_loss)\(",
        "TypeError: .*must be (Tensor|bool)",
        _ANY,
    ),
    Rule(
        "a tensor is no sequence of ints",
        _ANY,
        "TypeError: .*(only integer tensors|only integer scalar arrays|must be int, not (Tensor|float|bool))",
        _ANY,
    ),
    Rule(
        "numbers are no tensors",
        r".*(lp_pool|LPPool|local_response_norm|LocalResponseNorm)",
        "TypeError: .*must be Number",
        _ANY,
    ),
    Rule(
        "strides and padding of as many ints as dims",
        r".*(max_unpool|MaxUnpool)\dd",
        "RuntimeError: max_unpool.d: .* must be an int or",
        _OK,
    ),
    Rule(
        "positions in planes without elements",
        r".*(max_unpool|MaxUnpool)\dd",
        "RuntimeError: .*out of bounds for dimension . with size 0",
        _OK,
    ),
    Rule("bytes and texts are no sizes", r"unravel_index\(", "TypeError: expected 'shape'", _OK),
    Rule("tolerances are numbers", r"linalg\.(pinv|cond)\(", "TypeError: ", _ANY),
    Rule("a generator by place", r"(poisson|binomial)\(.*None", "TypeError: ", _OK),
    Rule(
        "out of other sizes is resized, or has a dtype of its own",
        r".*normalize\(",
        _ERROR,
        "(ok|RuntimeError: )",
    ),
    Rule("the norm is a number", r".*normalize\(.*None", "TypeError: ", _OK),
    Rule(
        "the first parameter has one name",
        _ANY,
        "TypeError: .*unexpected keyword argument 'input'",
        _OK,
    ),
    Rule(
        "weights that fit by broadcasting only",
        r"(nn\.functional\.(linear|instance_norm|scaled_dot_product_attention|batch_norm)|lstm_cell|gru_cell|rnn_\w+)\(",
        "RuntimeError: ",
        _OK,
    ),
    Rule("solvers take one dtype", r"linalg\.solve_triangular\(", "RuntimeError: ", _OK),
    Rule(
        "nothing, which PyTorch does not look at",
        r".*(cholesky|index_add|cond|index_fill|index_copy)\(",
        "(RuntimeError|IndexError): ",
        _OK,
    ),
    Rule(
        "kernels for bool that PyTorch has",
        _ANY,
        "(NotImplementedError|RuntimeError): .*(not implemented for|boolean tensor|unsigned type)",
        _OK,
    ),
    # ---- values
    Rule(
        "the signs of eigenvectors and singular vectors", r"linalg\.(svd|eigh)\(", "value", "value"
    ),
    Rule("which of equal elements", r".*(topk|kthvalue)\(", "value", "value"),
    Rule(
        "a tensor in the place of dim is the other one, by name too",
        r".*(max|min)\(.*dim=int64\[\]",
        "value",
        "value",
    ),
    Rule(
        "integers as distances, whose margin PyTorch cuts off",
        r".*hinge_embedding_loss\(",
        _ANY,
        _ANY,
    ),
    Rule(
        "uint8 as targets, of which PyTorch makes negative numbers",
        r".*multilabel_soft_margin_loss\(.*uint8",
        "value",
        "value",
    ),
    Rule(
        "vectors and matrices that broadcast; a tolerance that counts all for 0",
        r"linalg\.(lstsq|pinv)\(",
        "value",
        "value",
    ),
    Rule("images that are nothing", r"pixel_unshuffle\(float32\[0", "value", "value"),
    Rule(
        "mixed dtypes, which PyTorch rounds on the way",
        r".*_(loss|similarity|div|logits)\(.*float64",
        "value",
        "value",
    ),
]

_LAYER, _INPUTS = r"nn\.[A-Z]\w*\(", r"nn\.[A-Z]\w*\.forward\("

LAYER_RULES = [
    # ---- which of an error's classes
    Rule(
        "two faults of inputs and targets",
        r"nn\.(GaussianNLL|NLL|CrossEntropy|MultiLabelSoftMargin)Loss\.forward",
        _ERROR,
        "(ValueError|IndexError|NotImplementedError): ",
    ),
    Rule(
        "states of an LSTM that are not two: PyTorch takes them for elements",
        r"nn\.LSTM\.forward",
        "(RuntimeError: lstm expects two|TypeError: )",
        "(IndexError|TypeError): ",
    ),
    Rule(
        "a number as an input", r"nn\.Lazy\w+\.forward", "(TypeError|ValueError): ", "IndexError: "
    ),
    Rule("sizes that are no ints", r"nn\.Lazy\w+\(", "(ValueError|RuntimeError): ", "TypeError: "),
    Rule(
        "a text as padding, which PyTorch looks at in the first call",
        r"nn\.(Lazy)?ConvTranspose",
        "ValueError: Invalid padding string",
        _ERROR,
    ),
    Rule(
        "a tensor as a probability", r"nn\.(RNN|GRU|LSTM)\(", "TypeError: dropout", "ValueError: "
    ),
    Rule(
        "options that PyTorch looks at in the first call, or not at all",
        r"nn\.(PReLU\(|GaussianNLLLoss\(|Embedding\(nan|RNN\(3, True)",
        _ERROR,
        "(RuntimeError|TypeError|ok)",
    ),
    Rule("what is no tensor", _INPUTS, "TypeError: .*must be Tensor", "(RuntimeError|ok)"),
    # ---- more than PyTorch takes
    Rule(
        "a list of factors",
        r"nn\.Upsampl\w+\(",
        "(ok|RuntimeError: |ValueError: )",
        "(TypeError: float|ValueError: only one element)",
    ),
    Rule("no channels", r"nn\.(Lazy)?ConvTranspose", _OK, "RuntimeError: "),
    Rule("integers in losses", r"nn\.\w+Loss\.forward", _OK, "RuntimeError: "),
    Rule("no images", r"nn\.(Lazy)?InstanceNorm\dd\.forward", _OK, "IndexError: select"),
    Rule(
        "the channels of an input without a batch",
        r"nn\.LazyInstanceNorm\dd\.forward",
        _OK,
        "ValueError: expected input's size at dim=0",
    ),
    # ---- what PyTorch takes more
    Rule(
        "NaN is no margin and no bound",
        _LAYER,
        "(RuntimeError|ValueError|AssertionError): .*nan",
        _OK,
    ),
    Rule(
        "results without elements",
        r"nn\.(Lazy)?ConvTranspose",
        "RuntimeError: .*Calculated output size",
        _OK,
    ),
    Rule("what NaN would come of", r"nn\.LazyInstanceNorm", "ValueError: .* eps must be", _OK),
    Rule("states of one dtype", r"nn\.LSTM\w*\.forward", "RuntimeError: ", _OK),
    Rule(
        "nothing, which PyTorch does not look at",
        r"nn\.(Circular|BatchNorm).*(\[0, 3\]|-2)",
        "RuntimeError: ",
        _OK,
    ),
    # ---- values
    Rule(
        "NaN as a margin, and as what stands for no eps",
        r"nn\.(RMSNorm|MultiMarginLoss)\(",
        "value",
        "value",
    ),
    Rule("images that are nothing", r"nn\.PixelUnshuffle\.forward\(float32\[0", "value", "value"),
    Rule(
        "mixed dtypes, which PyTorch rounds on the way",
        r"nn\.\w+(Loss|Similarity)\S*\(.*(float64|uint8)",
        "value",
        "value",
    ),
]


def outcome(value: Any) -> str:
    """What came of a call in words: "ok", or the class and the text of an error."""
    if not isinstance(value, Exception):
        return "ok"
    return f"{type(value).__name__.lstrip('_')}: {value}"


def difference(call: Call) -> tuple[str, str] | None:
    """What comes of a call here and in PyTorch, if that differs in class or value."""
    random = call.path.rpartition(".")[2].rstrip("_") in RANDOM
    ours = outcome_of(ag, call)
    if may_crash_pytorch(call, ours):
        return None
    return difference_of(ours, outcome_of(torch, call), values=not random)


def may_crash_pytorch(call: Call, ours: Any) -> bool:
    """True for calls that only an error about their values keeps from reading behind the ends of tensors."""
    return call.path in PYTORCH_MAY_CRASH and isinstance(ours, (RuntimeError, ValueError))


def difference_of(ours: Any, theirs: Any, *, values: bool = True) -> tuple[str, str] | None:
    """Two outcomes in words if they differ in class or, if both are results, in value."""
    failed = isinstance(theirs, Exception), isinstance(ours, Exception)
    if any(failed):
        alike = all(failed) and (
            isinstance(ours, type(theirs))
            or type(ours).__name__ == type(theirs).__name__.lstrip("_")
        )
        return None if alike else (outcome(ours), outcome(theirs))
    try:
        if values:
            same(ours, theirs)
    except AssertionError as error:
        return "value", f"value: {' '.join(str(error).split())}"
    return None


def reason(call: Call, ours: str, theirs: str, rules: Iterable[Rule] = RULES) -> str | None:
    """Why a difference is meant; None if no rule says so."""
    shown = str(call)
    for rule in rules:
        if (
            re.match(rule.ours, ours, re.DOTALL)
            and re.match(rule.theirs, theirs, re.DOTALL)
            and re.match(rule.call, shown, re.DOTALL)
        ):
            return rule.why
    return None


def layer_difference(name: str, call: Call) -> tuple[str, str] | None:
    """The same of a layer: made by the call and called well, or made well and called so."""
    outcomes: list[Any] = []
    called = call.path.endswith(".forward")
    for lib in (ag, torch):
        if outcomes and may_crash_pytorch(call, outcomes[0]):
            return None
        layer = construct(lib, name, good_arguments(name) if called else call)
        inputs = call if called else good_inputs(name)
        outcomes.append(layer if isinstance(layer, Exception) else forward(lib, layer, inputs))
    return difference_of(*outcomes, values=not name.startswith("Lazy"))


def unexplained_of_layers(share: int) -> Iterator[str]:
    """Differences of layers that no rule explains, among one of so many bad calls."""
    for name in LAYERS:
        for call in (*bad_constructions(name), *bad_inputs(name)):
            if zlib.crc32(str(call).encode()) % share == 0 and not endless_in_pytorch(call):
                found = layer_difference(name, call)
                if found and reason(call, *found, (*RULES, *LAYER_RULES)) is None:
                    yield f"{call}: {found[0]} | PyTorch: {found[1]}"


if __name__ == "__main__":
    for line in unexplained_of_layers(share=1):
        print(line)
