"""Recurrent layers and cells."""

from .row import Row, bad, case, normal

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def layer_case(name, steps=3, n=2, width=3, h=2, proj=0, **options):
    """Input, initial states and weights of a stack of layers."""
    kinds = {"has_biases": True, "num_layers": 1, "bidirectional": False, "batch_first": False}
    kinds.update(options)
    directions = 2 if kinds["bidirectional"] else 1
    out, rows = proj or h, GATES[name] * h
    states = [(kinds["num_layers"] * directions, n, out)]
    if name == "lstm":
        states.append((kinds["num_layers"] * directions, n, h))
    weights = []
    for layer in range(kinds["num_layers"]):
        for _ in range(directions):
            weights += [(rows, out * directions if layer else width), (rows, out)]
            weights += [(rows,), (rows,)] if kinds["has_biases"] else []
            weights += [(proj, h)] if proj else []
    x = (n, steps, width) if kinds["batch_first"] else (steps, n, width)
    return case(x, *states, *weights, **kinds)


def layer(name):
    """The function of a stack of layers, called with tensors in a row."""
    n_states = 2 if name == "lstm" else 1

    def call(lib, x, *tensors, has_biases, num_layers, bidirectional, batch_first):
        states = tensors[:n_states] if n_states > 1 else tensors[0]
        weights = list(tensors[n_states:])
        settings = (has_biases, num_layers, 0.0, False, bidirectional, batch_first)
        return getattr(lib, name)(x, states, weights, *settings)

    return call


def layer_row(name, *more):
    """The row of a stack of layers."""
    one = {"has_biases": False, "num_layers": 1, "bidirectional": False, "batch_first": False}
    states = 2 if name == "lstm" else 1
    rows = GATES[name] * 2
    sizes = [(3, 2, 3), *[(1, 2, 2)] * states]
    return Row(
        name,
        (normal,),
        (
            layer_case(name),
            layer_case(name, steps=1, n=1, has_biases=False),
            layer_case(name, num_layers=2, bidirectional=True),
            layer_case(name, steps=5, h=17, batch_first=True, bidirectional=True),
            layer_case(name, n=0),
            *more,
        ),
        call=layer(name),
        method=False,
        dtypes=("float32", "float64"),
        differs="weights of wrong sizes are errors, where PyTorch reads what is not there"
        if name == "lstm"
        else "",
        errors=()
        if name == "lstm"
        else (
            bad((3, 2), *sizes[1:], (rows, 3), (rows, 2), says="dimension", shows=(), **one),
            bad(*sizes, (rows, 4), (rows, 2), says="shapes cannot|must have", shows=(), **one),
            bad(*sizes, (rows, 3), (rows, 5), says="shapes cannot|must have", shows=(), **one),
        ),
    )


def cell_row(name):
    """The row of a cell."""
    key = name[:-5]
    rows, states = GATES[key] * 2, 2 if key == "lstm" else 1

    def shapes(n, width, h):
        rows = GATES[key] * h
        return ((n, width), *[(n, h)] * states, (rows, width), (rows, h))

    def call(lib, x, *tensors):
        hx = tensors[:states] if states > 1 else tensors[0]
        return getattr(lib, name)(x, hx, *tensors[states:])

    return Row(
        name,
        (normal,),
        (
            case(*shapes(2, 3, 2), (rows,), (rows,)),
            case(*shapes(2, 3, 2)),
            case(*shapes(1, 1, 17)),
            case(*shapes(0, 3, 2)),
        ),
        call=call,
        method=False,
        dtypes=("float32", "float64"),
        errors=(
            bad(
                (2, 4), *[(2, 2)] * states, (rows, 3), (rows, 2), says="input_size", shows=((2, 4),)
            ),
            bad(
                (2, 3), *[(3, 2)] * states, (rows, 3), (rows, 2), says="batch size", shows=((3, 2),)
            ),
            bad(
                (2, 3),
                *[(2, 5)] * states,
                (rows, 3),
                (rows, 2),
                says="hidden_size",
                shows=((2, 5),),
            ),
        ),
    )


ROWS = (
    layer_row("lstm", layer_case("lstm", h=3, proj=2, num_layers=2, bidirectional=True)),
    layer_row("gru"),
    layer_row("rnn_tanh"),
    layer_row("rnn_relu"),
    cell_row("lstm_cell"),
    cell_row("gru_cell"),
    cell_row("rnn_tanh_cell"),
    cell_row("rnn_relu_cell"),
)
