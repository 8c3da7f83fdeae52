"""Loss, padding and resizing layers against PyTorch's, and what is special about single losses."""

import warnings

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def numbers(*shape):
    """The same normal numbers each time."""
    return np.random.default_rng(0).standard_normal(shape)


def given(lib, *arrays):
    """Tensors of the arrays: integers stay integers, floats are leaves that require grad."""
    return [
        make(lib, a, "float64", requires_grad=True)
        if a.dtype.kind == "f"
        else make(lib, a, "int64")
        for a in arrays
    ]


X, Y, UNIT = numbers(4, 3), numbers(4, 3)[::-1], 1 / (1 + np.exp(-numbers(4, 3)))
CLASSES, SIGNS = np.array([0, 2, 1, 1]), np.array([1, -1, 1, -1])
LAYERS = {
    "L1Loss": [({}, (X, Y)), ({"reduction": "sum"}, (X, Y))],
    "MSELoss": [({}, (X, Y)), ({"size_average": False}, (X, Y))],
    "SmoothL1Loss": [({"beta": 0.5}, (X, Y))],
    "HuberLoss": [({"delta": 0.5, "reduction": "none"}, (X, Y))],
    "SoftMarginLoss": [({}, (X, np.sign(Y).astype(int)))],
    "CrossEntropyLoss": [
        ({}, (X, CLASSES)),
        ({"weight": [1.0, 2.0, 3.0], "ignore_index": 1}, (X, CLASSES)),
        ({"label_smoothing": 0.1, "reduction": "sum"}, (X, CLASSES)),
    ],
    "NLLLoss": [({"weight": [1.0, 2.0, 3.0], "ignore_index": 0}, (X, CLASSES))],
    "BCELoss": [({}, (UNIT, UNIT[::-1])), ({"weight": [1.0, 2.0, 3.0]}, (UNIT, UNIT[::-1]))],
    "BCEWithLogitsLoss": [({"pos_weight": [1.0, 2.0, 3.0]}, (X, UNIT)), ({}, (X, UNIT))],
    "KLDivLoss": [({"reduction": "batchmean"}, (X, UNIT)), ({"log_target": True}, (X, UNIT))],
    "PoissonNLLLoss": [({}, (X, CLASSES[:, None])), ({"log_input": False}, (UNIT, UNIT[::-1]))],
    "GaussianNLLLoss": [({"full": True}, (X, Y, UNIT))],
    "HingeEmbeddingLoss": [({"margin": 0.5}, (X, SIGNS[:, None]))],
    "MarginRankingLoss": [({"margin": 0.5}, (X[:, 0], Y[:, 0], SIGNS))],
    "CosineEmbeddingLoss": [({"margin": 0.2}, (X, Y, SIGNS))],
    "MultiMarginLoss": [({"p": 2, "weight": [1.0, 2.0, 3.0]}, (X, CLASSES)), ({}, (X, CLASSES))],
    "MultiLabelSoftMarginLoss": [({}, (X, (Y > 0).astype(int)))],
    "TripletMarginLoss": [({"swap": True}, (X, Y, UNIT)), ({"p": 1.0}, (X, Y, UNIT))],
    "TripletMarginWithDistanceLoss": [({"margin": 2.0, "swap": True}, (X, Y, UNIT))],
    "CosineSimilarity": [({"dim": 0}, (X, Y))],
    "PairwiseDistance": [({"p": 1.0, "keepdim": True}, (X, Y))],
}
for _mode in ("Reflection", "Replication", "Circular", "Zero"):
    for _dims in (1, 2, 3):
        LAYERS[f"{_mode}Pad{_dims}d"] = [
            ({"padding": 1}, (numbers(*[2, 2, 3, 3, 3][: _dims + 2]),)),
            ({"padding": (1, 0) * _dims}, (numbers(*[2, 2, 3, 3, 3][: _dims + 2]),)),
        ]
for _dims in (1, 2, 3):
    LAYERS[f"ConstantPad{_dims}d"] = [({"padding": 2, "value": 1.5}, (numbers(2, 3, 2, 2),))]
LAYERS |= {
    "Upsample": [
        ({"scale_factor": 2}, (numbers(1, 2, 3, 3),)),
        ({"size": (4, 5), "mode": "bilinear", "align_corners": True}, (numbers(1, 2, 3, 3),)),
    ],
    "UpsamplingNearest2d": [({"scale_factor": 2}, (numbers(1, 2, 3, 3),))],
    "UpsamplingBilinear2d": [({"size": 5}, (numbers(1, 2, 3, 3),))],
    "PixelShuffle": [({"upscale_factor": 2}, (numbers(1, 4, 2, 3),))],
    "PixelUnshuffle": [({"downscale_factor": 2}, (numbers(1, 1, 4, 2),))],
    "Unflatten": [({"dim": 1, "unflattened_size": (2, -1)}, (numbers(3, 4),))],
}
CASES = [(name, i) for name, cases in LAYERS.items() for i in range(len(cases))]


@pytest.mark.parametrize("name, i", CASES, ids=[f"{name}-{i}" for name, i in CASES])
@vs_torch
def test_layer(lib, name, i):
    """The result, its gradients, and the buffers."""
    options, arrays = LAYERS[name][i]
    options = {
        key: make(lib, value, "float64") if key.endswith("weight") else value
        for key, value in options.items()
    }
    layer = getattr(lib.nn, name)(**options)
    tensors = given(lib, *arrays)
    result = layer(*tensors)
    result.sum().backward()
    grads = [x.grad for x in tensors if x.requires_grad]
    return result, grads, sorted(layer.state_dict())


def test_layers_show_what_they_are():
    for name, options in (
        ("ConstantPad1d", {"padding": 2, "value": 1.5}),
        ("ZeroPad2d", {"padding": 1}),
        ("ReflectionPad1d", {"padding": (1, 2)}),
        ("Upsample", {"scale_factor": 2.0}),
        ("PixelShuffle", {"upscale_factor": 2}),
        ("Unflatten", {"dim": 1, "unflattened_size": (2, 2)}),
    ):
        texts = [repr(getattr(lib.nn, name)(**options)) for lib in (ag, torch)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_different_sizes_are_worth_a_warning(name):
    with pytest.warns(UserWarning, match="different to the input size"):
        getattr(ag.nn.functional, name)(ag.zeros(2, 3), ag.zeros(3))


def test_kl_div_warns_of_the_mean():
    with pytest.warns(UserWarning, match="batchmean"):
        ag.nn.functional.kl_div(ag.zeros(2), ag.ones(2))


def test_older_arguments_warn():
    with pytest.warns(UserWarning, match="reduction='sum'"):
        ag.nn.functional.l1_loss(ag.zeros(2), ag.ones(2), size_average=False)


@vs_torch
def test_weights_of_pairs(lib):
    x, t, w = (make(lib, numbers(2, 3) + i, "float64") for i in (0, 1, 3))
    f = lib.nn.functional
    return [
        function(x, t, weight=w, reduction=reduction)
        for function in (f.mse_loss, f.l1_loss, f.huber_loss)
        for reduction in ("mean", "sum", "none")
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@vs_torch
def test_all_classes_ignored(lib, reduction):
    x = make(lib, numbers(2, 3), "float64", requires_grad=True)
    target = make(lib, [-100, -100], "int64")
    loss = lib.nn.functional.cross_entropy(x, target, reduction=reduction)
    loss.sum().backward()
    return loss, x.grad


@vs_torch
def test_gaussian_variance_has_a_limit_that_takes_no_part_in_gradients(lib):
    x, t, v = given(lib, numbers(3), numbers(3)[::-1], np.array([0.0, 0.1, 2.0]))
    loss = lib.nn.functional.gaussian_nll_loss(x, t, v, eps=0.5)
    loss.backward()
    return loss, x.grad, v.grad


@vs_torch
def test_lengths_of_zero(lib):
    f = lib.nn.functional
    x = make(lib, np.zeros((2, 3)), "float64", requires_grad=True)
    y = make(lib, numbers(2, 3), "float64")
    results = [f.normalize(x), f.cosine_similarity(x, y), f.pairwise_distance(x, x.detach(), eps=0)]
    return results, [lib.autograd.grad(one.sum(), x)[0] for one in results]


@vs_torch
def test_logits_of_any_size(lib):
    x = make(lib, [1e4, -1e4, 88.0, -88.0, 0.0], "float32", requires_grad=True)
    t = make(lib, [1.0, 0.0, 0.5, 1.0, 0.0], "float32")
    loss = lib.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    loss.sum().backward()
    return loss, x.grad


def test_a_float_that_is_not_a_number_is_no_probability():
    for lib in (torch, ag):
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            lib.nn.functional.binary_cross_entropy(lib.tensor([float("nan")]), lib.zeros(1))


def test_resizing_is_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ag.nn.functional.interpolate(ag.ones(1, 1, 4), scale_factor=2.0, mode="linear")
        ag.meshgrid(ag.arange(2), ag.arange(3))


def test_same_as_pytorch_in_another_layout():
    x, t = numbers(5, 7).T, numbers(7, 5)
    mine = ag.nn.functional.mse_loss(make(ag, x, "float32"), make(ag, t, "float32"))
    same(mine, torch.nn.functional.mse_loss(make(torch, x, "float32"), make(torch, t, "float32")))


@vs_torch
def test_distances_of_rows_to_themselves(lib):
    x = make(lib, numbers(4, 3), "float64", requires_grad=True)
    results = [lib.cdist(x, x, p) for p in (0.0, 0.5, 1.0, 2.0, 3.0)]
    return results, [lib.autograd.grad(one.sum(), x)[0] for one in results]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weight", [None, ag.tensor([1.0, 0.5, 2.0], dtype=ag.float64)])
@pytest.mark.parametrize("p", [1, 2])
def test_margins_of_classes_to_second_order(p, weight, reduction):
    x, t = make(ag, numbers(4, 3), "float64", requires_grad=True), ag.tensor([0, 2, 1, 1])
    options = {"p": p, "weight": weight, "reduction": reduction}
    assert ag.autograd.gradgradcheck(
        lambda x: ag.nn.functional.multi_margin_loss(x, t, **options), x
    )


@vs_torch
def test_distances_of_many_rows(lib):
    # More rows than the kernels take at a time, more columns than a thread's share; and batches that broadcast.
    x, y = (make(lib, numbers(n, 150), "float64", requires_grad=True) for n in (70, 90))
    few = make(lib, numbers(3, 1, 5, 4), "float32", requires_grad=True)
    more = make(lib, numbers(2, 6, 4), "float32", requires_grad=True)
    results = [
        f(p)
        for p in (1.0, 2.0, 2.5)
        for f in (
            lambda p: lib.cdist(x, y, p, "donot_use_mm_for_euclid_dist"),
            lambda p: lib.nn.functional.pdist(x, p),
            lambda p: lib.cdist(few, more, p),
        )
    ]
    leaves = [x, y, few, more]
    grads = [lib.autograd.grad(one.square().sum(), leaves, allow_unused=True) for one in results]
    return results, [g for each in grads for g in each if g is not None]


@vs_torch
def test_equal_largest_differences(lib):
    x = make(
        lib,
        np.array([[0.0, 0.0, 0.0], [2.0, -2.0, 1.0], [2.0, 2.0, 2.0]]),
        "float64",
        requires_grad=True,
    )
    results = [lib.nn.functional.pdist(x, float("inf")), lib.cdist(x, x.detach(), float("inf"))]
    return results, [lib.autograd.grad(one.sum(), x)[0] for one in results]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_distances_of_rows_to_second_order(p):
    x, y = (make(ag, numbers(n, 3), "float64", requires_grad=True) for n in (4, 5))
    assert ag.autograd.gradgradcheck(lambda a, b: ag.cdist(a, b.flip(0) * 1.3 + 0.1, p), (x, y))
    assert ag.autograd.gradgradcheck(lambda a: ag.pdist(a, p), x)
    with pytest.raises(ValueError, match="not a valid value for compute_mode"):
        ag.cdist(x, y, compute_mode="fast")


# ---- a softmax in clusters -----------------------------------------------------------------------


@pytest.mark.parametrize("head_bias", [False, True])
def test_adaptive_log_softmax(head_bias):
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 9, 15], 2.0, head_bias)
    ours = ag.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 9, 15], 2.0, head_bias)
    ours.load_state_dict({k: ag.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs)

    def scenario(lib, layer, x, classes):
        rows = lib.from_numpy(x).requires_grad_()
        output, loss = layer(rows, lib.from_numpy(classes))
        wanted = [rows, *layer.parameters()]
        grads = lib.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        full = rows.reshape(-1, 8)
        return output, loss, grads, layer.log_prob(full), layer.predict(full * 5)

    rng = np.random.default_rng(3)
    for classes in (np.arange(20), np.array([3, 0, 1]), np.array([17, 16]), np.array(10)):
        x = rng.standard_normal((*classes.shape, 8)).astype("f")
        same(scenario(ag, ours, x, classes), scenario(torch, theirs, x, classes))


@pytest.mark.parametrize("cutoffs", [[], [5, 5], [20], [0, 3], [3.5], [10, 5]])
def test_adaptive_log_softmax_of_bad_cutoffs(cutoffs):
    for lib in (torch, ag):
        with pytest.raises(ValueError, match="cutoffs should be a sequence"):
            lib.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)


@pytest.mark.parametrize("x, y", [((3,), 2), ((3,), None), ((), 3), ((3,), (3, 1))])
def test_adaptive_log_softmax_of_other_sizes(x, y):
    for lib in (torch, ag):
        layer = lib.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5])
        sizes = () if y is None else y if isinstance(y, tuple) else (y,)
        with pytest.raises(RuntimeError, match="target"):
            layer(lib.ones(*x, 8), lib.zeros(sizes, dtype=lib.int64))
        for no_class in (-1, 20):
            with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 19\]"):
                layer(lib.ones(1, 8), lib.tensor([no_class]))


def test_multilabel_margin_of_many_classes():
    """A row's classes are compared with all others without a table of C^2 numbers."""
    rng = np.random.default_rng(5)
    x, classes = rng.standard_normal((3, 20000)), np.full((3, 20000), -1)
    classes[:, :4] = rng.integers(0, 20000, (3, 4))
    ours, theirs = (
        lib.nn.functional.multilabel_margin_loss(*given(lib, x, classes), reduction="none")
        for lib in (ag, torch)
    )
    same(ours, theirs)
