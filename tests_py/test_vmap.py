"""vmap: dims, structures, randomness, writing in place, and what it refuses, against torch.func.vmap."""

import threading

import pytest
import torch
from compare import vs_torch

import autograd as ag


def grid(lib, *sizes):
    n = 1
    for size in sizes:
        n *= size
    return lib.arange(n, dtype=lib.float64).reshape(sizes) / 7 - 1


# ---- dims and structures -------------------------------------------------------------------------


@pytest.mark.parametrize("in_dim", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("out_dim", [0, 1, -1])
@vs_torch
def test_dims(lib, in_dim, out_dim):
    return lib.func.vmap(lambda x: x @ x.mT, in_dim, out_dim)(grid(lib, 4, 4, 4))


@vs_torch
def test_shared_arguments(lib):
    a, b = grid(lib, 3, 2), grid(lib, 2)
    return (
        lib.func.vmap(lambda x, y: x * y, (0, None))(a, b),
        lib.func.vmap(lambda x, y: x.sum() + y, (1, 0))(a, b),
        lib.func.vmap(lambda x, k: x * k, (0, None))(a, 3),
        lib.func.vmap(lambda x, *, k: x * k)(a, k=b),
    )


@vs_torch
def test_structures(lib):
    tree = {"a": grid(lib, 3, 2), "b": [grid(lib, 2, 3), grid(lib, 2)]}

    def function(tree, scale):
        return {"sum": tree["a"] + tree["b"][0] * scale}, (tree["b"][1] * 2, tree["a"].sum())

    first, rest = lib.func.vmap(
        function, in_dims=({"a": 0, "b": [1, None]}, None), out_dims=(1, 0)
    )(tree, 2.0)
    return first["sum"], *rest


@vs_torch
def test_results_that_all_share(lib):
    x = grid(lib, 3, 2)
    shared = grid(lib, 2)
    return (
        lib.func.vmap(lambda x: shared)(x),
        lib.func.vmap(lambda x: (x, shared), out_dims=(0, None))(x)[1],
        lib.func.vmap(lambda x: lib.ones(2))(x),
    )


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 7])
@vs_torch
def test_chunks(lib, chunk_size):
    x, y = grid(lib, 5, 2), grid(lib, 2, 5)
    function = lib.func.vmap(lambda a, b: (a + b, a.sum()), (0, 1), (1, 0), chunk_size=chunk_size)
    return function(x, y)


@pytest.mark.parametrize("size", [0, 1])
@vs_torch
def test_no_examples_and_one(lib, size):
    x = grid(lib, size, 3)
    return lib.func.vmap(lambda x: (x.sin().sum(), x.softmax(0), x.cumsum(0)))(x)


@vs_torch
def test_levels(lib):
    x, y = grid(lib, 3, 4), grid(lib, 2, 4)
    outer = lib.func.vmap(lib.func.vmap(lambda a, b: a * b, (None, 0)), (0, None))(x, y)
    table = lib.func.vmap(lambda a: lib.func.vmap(lambda b: (a * b).sum())(y))(x)
    columns = lib.func.vmap(lib.func.vmap(lambda a: a * 2 + 1, 0, 0), 1, 1)(x)
    deep = lib.func.vmap(lib.func.vmap(lib.func.vmap(lambda a: a.exp())))(grid(lib, 2, 3, 4))
    return outer, table, columns, deep


@vs_torch
def test_promotion_sees_examples(lib):
    """A tensor without dims decides less than one with dims, however many examples there are."""
    wide = lib.ones(3, dtype=lib.float64)
    narrow = lib.ones(3, 2, dtype=lib.float32)
    ints = lib.ones(3, 2, dtype=lib.int64)
    add = lib.func.vmap(lambda a, b: a + b)
    both = lib.func.vmap(lambda a: a + lib.tensor(1.0, dtype=lib.float64))(narrow[:, 0])
    return add(wide, narrow), add(wide, ints), both, lib.func.vmap(lambda a, b: a > b)(wide, narrow)


@vs_torch
def test_python_sees_examples(lib):
    x = grid(lib, 3, 2, 4)
    seen = []

    def function(x):
        seen.append((tuple(x.shape), x.dim(), len(x), x.numel(), x.size(-1), x.stride()))
        return lib.stack([row * i for i, row in enumerate(x)])

    return lib.func.vmap(function)(x), seen


# ---- randomness ----------------------------------------------------------------------------------

DRAWS = {
    "rand": lambda lib, x: lib.rand(5),
    "randn": lambda lib, x: lib.randn(5),
    "randint": lambda lib, x: lib.randint(0, 1000, (5,)),
    "randperm": lambda lib, x: lib.randperm(50),
    "dropout": lambda lib, x: lib.nn.functional.dropout(x * 0 + 1, 0.5),
    "bernoulli": lambda lib, x: lib.bernoulli(x * 0 + 0.5),
    "multinomial": lambda lib, x: lib.multinomial(x * 0 + 1, 30, replacement=True),
    "uniform_": lambda lib, x: (x * 0).uniform_(),
    "rand_like": lambda lib, x: lib.rand_like(x),
}


@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
@pytest.mark.parametrize("name", DRAWS)
def test_randomness(lib, name):
    x = lib.ones(4, 30)
    draw = lambda x: DRAWS[name](lib, x)  # noqa: E731
    with pytest.raises(
        RuntimeError, match="called random operation while in randomness error mode"
    ):
        lib.func.vmap(draw)(x)
    if lib is ag or name not in ("bernoulli", "multinomial", "dropout"):
        same = lib.func.vmap(draw, randomness="same")(x)
        assert all((row == same[0]).all() for row in same)
    different = lib.func.vmap(draw, randomness="different")(x)
    assert tuple(different.shape) == (4, *DRAWS[name](lib, x[0]).shape)
    assert not all((row == different[0]).all() for row in different)


def test_randomness_moves_the_stream_on():
    ag.manual_seed(3)
    draw = ag.func.vmap(lambda x: ag.nn.functional.dropout(x, 0.5), randomness="same")
    first, second = draw(ag.ones(2, 100)), draw(ag.ones(2, 100))
    assert not (first == second).all()


@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_filling_what_all_share_differently_is_refused(lib):
    with pytest.raises(RuntimeError, match="different inplace randomness on an unbatched tensor"):
        lib.func.vmap(lambda x: lib.ones(2).uniform_() + x, randomness="different")(lib.ones(3, 2))


# ---- in place ------------------------------------------------------------------------------------


def written(lib, x):
    """Changes of one example: of it, of its parts, and of tensors made to be like it."""
    y = x * 1
    y[0] = 7
    y[1:].mul_(2)
    y.view(2, 2)[1] += y[:2]
    fresh = x.new_zeros(3)
    fresh[1] = x[0]
    like = lib.zeros_like(x)
    like += x
    full = lib.full_like(x, 2)
    full.sub_(x)
    z = x.clone()
    z.index_fill_(0, lib.tensor([1]), 5)
    z.masked_fill_(x < -0.5, 3)
    return y, fresh, like, full, z


@vs_torch
def test_writing_in_place(lib):
    return lib.func.vmap(lambda x: written(lib, x))(grid(lib, 3, 4))


@vs_torch
def test_gradients_of_writing_in_place(lib):
    return lib.func.vmap(lib.func.jacrev(lambda x: written(lib, x)[0]))(grid(lib, 3, 4))


@vs_torch
def test_arguments_are_changed(lib):
    x, y = grid(lib, 3, 4), grid(lib, 4, 3)
    lib.func.vmap(lambda x, y: x.mul_(2).add_(y), (0, 1))(x, y)
    return x, y


REFUSED_WRITES = {
    "add_": lambda lib, z, x: z.add_(x),
    "setitem": lambda lib, z, x: z.__setitem__(0, x[0]),
    "copy_": lambda lib, z, x: z.copy_(x),
    "scatter_": lambda lib, z, x: z.scatter_(0, lib.tensor([0, 1]), x),
    "index_add_": lambda lib, z, x: z.index_add_(0, lib.tensor([0, 1]), x),
}


@pytest.mark.parametrize("name", REFUSED_WRITES)
@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_writing_to_what_all_share_is_refused(lib, name):
    shared = lib.zeros(2, dtype=lib.float64)
    text = "due to `other` being vmapped over but `self` not|doesn't match the broadcast shape"
    with pytest.raises(RuntimeError, match=text):
        lib.func.vmap(lambda x: REFUSED_WRITES[name](lib, shared, x))(grid(lib, 3, 2))
    assert shared.tolist() == [0, 0]


def test_the_error_names_the_op():
    shared = ag.zeros(2)
    with pytest.raises(RuntimeError, match="`self` not being vmapped over.*add"):
        ag.func.vmap(lambda x: shared.add_(x))(ag.ones(3, 2))


# ---- what it refuses -----------------------------------------------------------------------------

ELEMENTS = {
    r"calling .item\(\) on a Tensor": lambda lib, x: x.sum().item(),
    "data-dependent control flow": lambda lib, x: x if x.sum() > 0 else -x,
    "dynamic shape": lambda lib, x: lib.nonzero(x),
    "support.* dynamic shape": lambda lib, x: x[x > 0],
    "dynamic shape.*unique": lambda lib, x: lib.unique(x),
    "Cannot access data pointer": lambda lib, x: x.tolist(),
    "that doesn't have storage": lambda lib, x: x.numpy(),
    "requires_grad_": lambda lib, x: x.requires_grad_(),
}


@pytest.mark.parametrize("text", ELEMENTS)
def test_elements_can_not_be_looked_at(text):
    @vs_torch(raises=text)
    def call(lib):
        return lib.func.vmap(lambda x: ELEMENTS[text](lib, x))(grid(lib, 3, 2))

    call()
    assert ag.func.vmap(lambda x: x * 2)(ag.ones(2)).tolist() == [2, 2]


WRONG_DIMS = {
    "got no inputs": lambda v, x: v(lambda: 1)(),
    "expected .in_dims. to be int or a": lambda v, x: v(lambda a: a, "a")(x),
    "got: .*NoneType": lambda v, x: v(lambda a: a, None)(x),
    "in_dims is not compatible": lambda v, x: v(lambda a, b: a, (0,))(x, x),
    "not compatible with the structure of .inputs": lambda v, x: v(lambda a, b: a, (0, (0, 0)))(
        x, x
    ),
    "same size in the mapped dimension": lambda v, x: v(lambda a, b: a)(x, x[:2]),
    "input is of type": lambda v, x: v(lambda a, b: a)(x, 1.0),
    "dimensionality 0": lambda v, x: v(lambda a: a)(x.sum()),
    "so expected in_dim to satisfy": lambda v, x: v(lambda a: a, 5)(x),
    "must only return Tensors, got type": lambda v, x: v(lambda a: None)(x),
    "Did you mean to set out_dims= to None": lambda v, x: v(lambda a: 1.0)(x),
    "Dimension out of range": lambda v, x: v(lambda a: a, out_dims=3)(x),
    "out_dims is not compatible": lambda v, x: v(lambda a: (a, a), out_dims=(0,))(x),
    "can not return a BatchedTensor when out_dim is None": lambda v, x: v(
        lambda a: a, out_dims=None
    )(x),
    "chunk_size should be None or greater than 0": lambda v, x: v(lambda a: a, chunk_size=0),
}


@pytest.mark.parametrize("text", WRONG_DIMS)
def test_wrong_dims(text):
    @vs_torch(raises=text)
    def call(lib):
        return WRONG_DIMS[text](lib.func.vmap, grid(lib, 3, 2))

    call()


@vs_torch(raises="may have escaped from inside a function being vmapped")
def test_a_tensor_that_escaped(lib):
    kept = []
    lib.func.vmap(lambda x: kept.append(x) or x)(grid(lib, 3, 2))
    return kept[0] + 1


def test_backward_inside_is_refused():
    w = ag.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="not supported, please use func.grad"):
        ag.func.vmap(lambda x: (x * w).sum().backward())(ag.ones(3, 2))
    with pytest.raises(RuntimeError, match="the same for all examples.*func.grad"):
        ag.func.vmap(lambda x: ag.autograd.grad((x * w).sum(), w))(ag.ones(3, 2))
    assert w.grad is None


def test_an_exception_ends_the_levels():
    def fails(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ag.func.vmap(ag.func.vmap(fails))(ag.ones(2, 2))
    assert ag.func.vmap(lambda x: x.sum())(ag.ones(2, 3)).tolist() == [3, 3]
    # Outside of vmap random ops and backward() work.
    ag.rand(2, requires_grad=True).sum().backward()


def test_printing():
    texts = []
    ag.func.vmap(lambda x: texts.append(repr(x)) or x)(ag.ones(2, 3))
    assert texts == [
        "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1., 1., 1.],\n            [1., 1., 1.]])\n)"
    ]


def test_threads_have_levels_of_their_own():
    results = {}

    def work(n):
        x = ag.full((n, 3), float(n))
        for _ in range(50):
            results[n] = ag.func.vmap(ag.func.grad(lambda x: (x * x).sum()))(x)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results[n].tolist() == [[2.0 * n] * 3] * n for n in range(1, 5))


# ---- gradients of what has a history -------------------------------------------------------------


@vs_torch
def test_history_goes_through(lib):
    w = grid(lib, 2, 3).requires_grad_()
    x = grid(lib, 5, 3)
    y = lib.func.vmap(lambda x: lib.nn.functional.linear(x, w).tanh())(x)
    z = lib.func.vmap(lambda r: r.softmax(0) * r, 1, 1)(w)
    y.sum().backward()
    (by_z,) = lib.autograd.grad((z * z).sum(), w)
    return y, w.grad, by_z


@vs_torch
def test_batches_of_gradients(lib):
    x = grid(lib, 3).requires_grad_()
    w = grid(lib, 2).requires_grad_()
    y = x.sin() * x
    grad = lib.autograd.grad
    rows = grad(y, x, lib.eye(3, dtype=lib.float64), is_grads_batched=True, retain_graph=True)
    named = grad(y.sum(), {"x": x}, retain_graph=True)["x"]
    one, none = grad(
        y,
        (x, w),
        grid(lib, 4, 3),
        is_grads_batched=True,
        allow_unused=True,
        create_graph=True,
    )
    (second,) = grad(one.sum(), x)
    return rows, named, one, none is None, second


@pytest.mark.parametrize("sizes", [(3,), (3, 2), ()])
def test_batches_of_gradients_of_wrong_sizes(sizes):
    @vs_torch(raises="If `is_grads_batched=True`")
    def call(lib):
        x = grid(lib, 3).requires_grad_()
        vectors = lib.ones(sizes, dtype=lib.float64)
        if not sizes:
            vectors = lib.ones((2,), dtype=lib.float64)
        return lib.autograd.grad(x * 2, x, vectors, is_grads_batched=True)

    call()


# ---- functions with gradients of their own -------------------------------------------------------


def cube(lib, **attributes):
    """x^3 as a Function, with further class attributes."""

    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x

    space = {
        "forward": staticmethod(lambda x: x * x * x),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
        **attributes,
    }
    return type("Cube", (lib.autograd.Function,), space)


def over_a_batch(info, in_dims, x):
    """The vmap of cube(): what works for one example works for all."""
    assert info.batch_size == 3 and info.randomness == "error" and in_dims == (0,)
    return x * x * x, 0


@pytest.mark.parametrize("name", ["generated", "own"])
@vs_torch
def test_functions(lib, name):
    own = {"vmap": staticmethod(over_a_batch)}
    function = cube(lib, **({"generate_vmap_rule": True} if name == "generated" else own)).apply
    x = grid(lib, 3, 2)
    plain = lib.func.vmap(function)(x)
    if name == "own":
        return plain
    return (
        plain,
        lib.func.vmap(lib.func.grad(lambda x: function(x).sum()))(x),
        lib.func.grad(lambda x: lib.func.vmap(function)(x).sum())(x),
        lib.func.jacrev(function)(x),
    )


@vs_torch(raises="You tried to vmap over Cube, but it does not have vmap support")
def test_functions_without_support(lib):
    return lib.func.vmap(cube(lib).apply)(grid(lib, 3, 2))


@vs_torch(raises="has both generate_vmap_rule=True and an overridden vmap")
def test_functions_with_two_rules(lib):
    both = cube(lib, generate_vmap_rule=True, vmap=staticmethod(over_a_batch))
    return lib.func.vmap(both.apply)(grid(lib, 3, 2))


@vs_torch(raises="Expected the vmap staticmethod to have two returns, an output and out_dims")
def test_functions_whose_rule_returns_no_dims(lib):
    alone = cube(lib, vmap=staticmethod(lambda info, in_dims, x: x))
    return lib.func.vmap(alone.apply)(grid(lib, 3, 2))


@vs_torch
def test_positions_that_differ(lib):
    x, i = grid(lib, 4, 3), lib.tensor([0, 1, 2, -3])
    nine = lib.tensor(9.0, dtype=x.dtype)
    return (
        lib.func.vmap(lambda x, i: x[i])(x, i),
        lib.func.vmap(lambda x, i: x.clone().index_put_((i,), nine))(x, i),
    )


def test_positions_that_differ_among_others():
    """PyTorch looks at the element here."""
    x, i = grid(ag, 4, 3, 2), ag.tensor([0, 1, 2, -3])
    found = ag.func.vmap(lambda x, i: x[i, 1:])(x, i)
    assert found.tolist() == [x[e, int(i[e]), 1:].tolist() for e in range(4)]
    columns = ag.func.vmap(lambda x, i: x[:, i % 2])(x, i)
    assert columns.tolist() == [x[e, :, int(i[e]) % 2].tolist() for e in range(4)]
    slopes = ag.func.vmap(ag.func.grad(lambda x, i: x[0, i % 2] ** 2))(x, i)
    expected = ag.zeros_like(x)
    for e in range(4):
        at = (e, 0, int(i[e]) % 2)
        expected[at] = 2 * x[at]
    assert ag.allclose(slopes, expected)


# ---- tables, statistics and weights that differ, or that all share ---------------------------------


@pytest.mark.parametrize("padding", [None, 1])
@vs_torch
def test_embedding_of_a_table_per_example(lib, padding):
    tables, places = grid(lib, 3, 4, 2), lib.tensor([[0, 1, 1], [3, 1, 2], [2, 2, 2]])

    def rows(table, at):
        return lib.nn.functional.embedding(at, table, padding_idx=padding)

    def number(table, at):
        return rows(table, at).pow(2).sum()

    return (
        lib.func.vmap(rows)(tables, places),
        lib.func.vmap(rows, (0, None))(tables, places[1]),
        lib.func.vmap(lib.func.grad(number), (None, 0))(tables[0], places),
    )


@pytest.mark.parametrize("place", [-1, 4])
def test_positions_of_another_example_are_out_of_range(place):
    tables, places = grid(ag, 3, 4, 2), ag.full((3, 1), place)
    for rows in (
        lambda table, at: ag.nn.functional.embedding(at, table),
        lambda table, at: ag.index_select(table, 0, at),
    ):
        with pytest.raises(IndexError, match=f"index {place} is out of"):
            ag.func.vmap(rows)(tables, places)


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm"])
@vs_torch(raises="Batch norm got a batched tensor as input while the running_mean or running_var")
def test_statistics_that_all_share_are_not_updated(lib, norm):
    mean, var = grid(lib, 2), grid(lib, 2)
    call = getattr(lib.nn.functional, norm)
    word = "training" if norm == "batch_norm" else "use_input_stats"
    return lib.func.vmap(lambda x: call(x, mean, var, **{word: True}))(grid(lib, 3, 4, 2, 5))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@vs_torch
def test_losses_with_weights_per_example(lib, reduction):
    x, t = (
        grid(lib, 3, 4, 5).log_softmax(-1),
        lib.tensor([[0, 1, 4, 2], [2, 2, 2, 0], [1, 2, 3, 4]]),
    )
    w = grid(lib, 3, 5).abs()

    def loss(x, t, w):
        return lib.nn.functional.nll_loss(x, t, w, ignore_index=2, reduction=reduction)

    def number(x, t, w):
        return loss(x, t, w).sum()

    return (
        lib.func.vmap(loss)(x, t, w),
        lib.func.vmap(loss, (None, None, 0))(x[0], t[0], w),
        lib.func.vmap(lib.func.grad(number))(x, t, w),
        lib.func.vmap(lib.func.grad(number), (0, 0, None))(x, t, w[0]),
    )


def test_a_target_out_of_range_is_found_in_any_example():
    x, t, w = grid(ag, 2, 4, 5), ag.tensor([[0, 1, 2, 3], [0, 1, 2, 5]]), ag.ones(2, 5)
    with pytest.raises((IndexError, RuntimeError), match="5 is out of bounds"):
        ag.func.vmap(lambda x, t, w: ag.nn.functional.nll_loss(x, t, w.to(x.dtype)))(x, t, w)


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_multinomial_and_binomial_of_examples(randomness):
    weights = ag.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    draw = ag.func.vmap(lambda w: ag.multinomial(w, 4, True), randomness=randomness)
    assert draw(weights).tolist() == [[2] * 4, [0] * 4, [1] * 4]
    rows = ag.func.vmap(lambda w: ag.multinomial(w, 2, True), randomness=randomness)(
        ag.stack([weights, weights], 1)
    )
    assert rows.tolist() == [[[2, 2]] * 2, [[0, 0]] * 2, [[1, 1]] * 2]
    count = ag.func.vmap(lambda n: ag.binomial(n, ag.ones(2)), randomness=randomness)
    assert count(ag.tensor([1.0, 5, 9])).tolist() == [[1, 1], [5, 5], [9, 9]]
    shared = ag.func.vmap(
        lambda n: ag.binomial(ag.tensor(1e6), ag.tensor(0.5)), randomness=randomness
    )
    assert len(set(shared(ag.zeros(4)).tolist())) == (1 if randomness == "same" else 4)
