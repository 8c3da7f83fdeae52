"""L-BFGS: a quasi-Newton method that looks at the whole problem in each step."""

from __future__ import annotations

from typing import Any, Callable

from .. import changes
from ..grad_mode import enable_grad, no_grad
from ..ops import cat
from ..tensor import Tensor
from .line_search import Point, StrongWolfe
from .optimizer import Optimizer, Params
from .stepped import check_lr


class LBFGS(Optimizer):
    """Limited-memory BFGS, with PyTorch's options and formula.

    step(closure) makes up to max_iter iterations: a direction from the last history_size changes of gradient and
    parameters, and a step of length lr, or one found by line_search_fn "strong_wolfe". It ends early after max_eval
    (default: max_iter * 5 // 4) calls of the closure, or when the gradient or the change falls below its tolerance.
    The closure sets the gradients anew and returns the loss. There is only one parameter group.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults: dict[str, Any] = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    # ---- all parameters as one vector ----

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _flat_grad(self) -> Tensor:
        """The gradients of all parameters, one behind the other; 0 where there is none."""
        parts = []
        for param in self._params:
            grad = param.grad
            parts.append(
                param.new_zeros(param.numel()) if grad is None else grad.detach().reshape(-1)
            )
        return cat(parts, 0)

    def _move(self, step: float, direction: Tensor) -> None:
        """Moves all parameters along the direction."""
        start = 0
        for param in self._params:
            part = direction[start : start + param.numel()]
            param.add_(part.reshape(param.shape), alpha=step)
            start += param.numel()

    # ---- one step ----

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Makes up to max_iter iterations and returns the loss that the closure gave first."""
        if len(self.param_groups) != 1:
            raise AssertionError(
                f"Expected exactly one param_group, but got {len(self.param_groups)}"
            )
        if changes.captures:
            changes.refuse("LBFGS goes on as the values of losses say")
        with no_grad():
            return _Step(self, closure).run()


class _Step:
    """One call of step(): the loss and gradient where the parameters are, and what is remembered from before."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any]) -> None:
        self.optimizer = optimizer
        self.closure = closure
        self.options = optimizer.param_groups[0]
        # The state is that of the whole problem; the first parameter's is where PyTorch keeps it.
        self.state = optimizer.state[optimizer._params[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.lr = float(self.options["lr"])
        self.evaluations = 0

    def evaluate(self) -> Any:
        """Calls the closure, and notes loss and gradient."""
        with enable_grad():
            loss = self.closure()
        self.loss = float(loss)
        self.grad = self.optimizer._flat_grad()
        self.evaluations += 1
        self.state["func_evals"] += 1
        return loss

    def run(self) -> Any:
        first_loss = self.evaluate()
        if self.is_flat():
            return first_loss
        state = self.state
        # After a pause the history goes on where it ended.
        self.direction: Tensor = state.get("d")  # type: ignore[assignment]
        self.length = float(state["t"]) if state.get("t") is not None else 0.0
        previous_grad, previous_loss = state.get("prev_flat_grad"), state.get("prev_loss")
        for iteration in range(1, self.options["max_iter"] + 1):
            state["n_iter"] += 1
            self.find_direction(previous_grad)
            previous_grad, previous_loss = self.grad.clone(), self.loss
            slope = float(self.grad.dot(self.direction))
            first = state["n_iter"] == 1
            self.length = self.lr * (min(1.0, 1.0 / float(self.grad.abs().sum())) if first else 1)
            if slope > -self.options["tolerance_change"]:
                break
            self.go(slope, iteration)
            if self.is_done(iteration, previous_loss):
                break
        state["d"], state["t"] = self.direction, self.length
        state["prev_flat_grad"], state["prev_loss"] = previous_grad, previous_loss
        return first_loss

    def is_flat(self) -> bool:
        return float(self.grad.abs().max()) <= self.options["tolerance_grad"]

    def is_done(self, iteration: int, previous_loss: float) -> bool:
        options, small = self.options, self.options["tolerance_change"]
        return (
            iteration == options["max_iter"]
            or self.evaluations >= options["max_eval"]
            or self.is_flat()
            or float((self.direction * self.length).abs().max()) <= small
            or abs(self.loss - previous_loss) < small
        )

    # ---- the direction ----

    def find_direction(self, previous_grad: Tensor | None) -> None:
        """The negative gradient at first, later that times the approximate inverse Hessian."""
        state = self.state
        if state["n_iter"] == 1:
            self.direction = -self.grad
            state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"] = [], [], [], 1
            return
        self.remember(self.grad - previous_grad, self.direction * self.length)  # type: ignore
        changes, steps = state["old_dirs"], state["old_stps"]
        scales = [float(scale) for scale in state["ro"]]
        weights = state.setdefault("al", [None] * self.options["history_size"])
        q = -self.grad
        for i in reversed(range(len(changes))):
            weights[i] = float(steps[i].dot(q)) * scales[i]
            q.add_(changes[i], alpha=-weights[i])
        q.mul_(float(state["H_diag"]))
        for i, change in enumerate(changes):
            q.add_(steps[i], alpha=weights[i] - float(change.dot(q)) * scales[i])
        self.direction = q

    def remember(self, change: Tensor, step: Tensor) -> None:
        """Adds a change of the gradient, and the step that made it, to the history, unless the loss curves down."""
        state = self.state
        curvature = float(change.dot(step))
        if not curvature > 1e-10:
            return
        histories = state["old_dirs"], state["old_stps"], state["ro"]
        if len(state["old_dirs"]) == self.options["history_size"]:
            for history in histories:
                history.pop(0)
        for history, value in zip(histories, (change, step, 1.0 / curvature)):
            history.append(value)
        state["H_diag"] = curvature / float(change.dot(change))

    # ---- the length ----

    def go(self, slope: float, iteration: int) -> None:
        """Moves along the direction; evaluates where that leads, but after the last step of a fixed length."""
        name = self.options["line_search_fn"]
        if name is None:
            self.optimizer._move(self.length, self.direction)
            if iteration != self.options["max_iter"]:
                self.evaluate()
            return
        if name != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        limit = self.options["max_eval"] - self.evaluations
        start = Point(0.0, self.loss, self.grad, slope)
        size = float(self.direction.abs().max())
        best = StrongWolfe(self.try_length, start, size, limit).search(self.length)
        self.loss, self.grad, self.length = best.loss, best.grad, best.step
        self.optimizer._move(self.length, self.direction)

    def try_length(self, length: float) -> Point:
        """What is known at a step of that length; the parameters are put back."""
        params = self.optimizer._params
        before = [param.clone() for param in params]
        self.optimizer._move(length, self.direction)
        self.evaluate()
        for param, values in zip(params, before):
            param.copy_(values)
        return Point(length, self.loss, self.grad, float(self.grad.dot(self.direction)))
