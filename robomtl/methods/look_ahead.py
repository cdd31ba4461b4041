"""What parameters would be after one step of an optimiser, and how that depends on the gradient.

Auto-lambda looks one step ahead. The step of SGD or Adam treats every entry of the gradient by
itself, so its derivative is a diagonal matrix, and the gradient of anything after the step with
respect to the gradient before it costs one product per entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from robomtl.methods.exceptions import MissingArgumentError
from robomtl.methods.objective import Objective
from robomtl.methods.statistics import kept_statistics


class LookAhead:
    """One step of an optimiser, taken without changing it or the parameters.

    Args:
        optimiser: `torch.optim.SGD`, `Adam` or `AdamW`. Learning rates, momentum, weight decay and
            the running averages are read at every step.

    Raises:
        MissingArgumentError: The optimiser is of another kind, or uses an unsupported option.
    """

    def __init__(self, optimiser: torch.optim.Optimizer) -> None:
        if not isinstance(optimiser, torch.optim.SGD | torch.optim.Adam):
            raise MissingArgumentError(
                f"Cannot look ahead over a step of {type(optimiser).__name__}; "
                "use torch.optim.SGD, Adam or AdamW."
            )
        for group in optimiser.param_groups:
            for option in ("amsgrad", "maximize"):
                if group.get(option):
                    raise MissingArgumentError(f"Cannot look ahead with the option {option!r}.")
        self.optimiser = optimiser

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.optimiser.param_groups[0]["params"][0].device

    @property
    def informative(self) -> bool:
        """Whether the step depends on how long the gradient is.

        The first step of Adam does not: it is the gradient's sign, times the learning rate. Its
        derivative is zero but where the gradient is about as small as epsilon; there it is huge.
        """
        return isinstance(self.optimiser, torch.optim.SGD) or bool(self.optimiser.state)

    @torch.no_grad()
    def step(
        self, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]
    ) -> tuple[list[Tensor], list[Tensor | float]]:
        """Return each parameter after the step, and the derivative of it, entry by entry.

        A parameter without a gradient stays where it is, as in the optimiser.

        Raises:
            MissingArgumentError: The optimiser does not hold one of the parameters.
        """
        groups = {
            id(p): number
            for number, group in enumerate(self.optimiser.param_groups)
            for p in group["params"]
        }
        after = [p.detach() for p in parameters]
        derivatives: list[Tensor | float] = [0.0] * len(after)
        # Those of one group that have taken as many steps are moved together: few, long operations.
        alike: dict[tuple[int, float], list[int]] = defaultdict(list)
        for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            if id(parameter) not in groups:
                raise MissingArgumentError(
                    f"The optimiser does not hold a parameter of shape {tuple(parameter.shape)} "
                    "of the objective. Give the method the optimiser that trains it."
                )
            if gradient is not None:
                steps = _steps(self.optimiser.state.get(parameter, {}))
                alike[groups[id(parameter)], steps].append(i)
        rule = _sgd if isinstance(self.optimiser, torch.optim.SGD) else _adam
        for (group, steps), members in alike.items():
            moved, slopes = rule(
                [after[i] for i in members],
                [g for i in members if (g := gradients[i]) is not None],
                self.optimiser.param_groups[group],
                [self.optimiser.state[parameters[i]] for i in members] if steps else [],
                steps,
            )
            for i, value, slope in zip(members, moved, slopes, strict=True):
                after[i], derivatives[i] = value, slope
        return after, derivatives


Tensors = list[Tensor] | tuple[Tensor, ...]


def _steps(state: dict[str, Any]) -> float:
    """Return how many steps a parameter has taken; for SGD, whether any with momentum."""
    if "step" in state:
        return float(state["step"])
    return float(state.get("momentum_buffer") is not None)


def _sgd(
    theta: Tensors,
    gradients: Tensors,
    group: dict[str, Any],
    states: Sequence[dict[str, Any]],
    steps: float,
) -> tuple[Tensors, Sequence[Tensor | float]]:
    """Step to theta' = theta - lr d, with the gradient's decay, momentum and Nesterov's in d."""
    moves = gradients
    if decay := group["weight_decay"]:
        moves = torch._foreach_add(moves, theta, alpha=decay)
    factor = 1.0
    if momentum := group["momentum"]:
        velocities = moves
        if states:
            factor = 1 - group["dampening"]
            velocities = torch._foreach_mul([s["momentum_buffer"] for s in states], momentum)
            torch._foreach_add_(velocities, moves, alpha=factor)
        if group["nesterov"]:
            moves = torch._foreach_add(moves, velocities, alpha=momentum)
            factor = 1 + momentum * factor
        else:
            moves = velocities
    rate = float(group["lr"])
    return torch._foreach_add(theta, moves, alpha=-rate), [-rate * factor] * len(theta)


def _adam(
    theta: Tensors,
    gradients: Tensors,
    group: dict[str, Any],
    states: Sequence[dict[str, Any]],
    steps: float,
) -> tuple[Tensors, Sequence[Tensor | float]]:
    """Step to theta' = theta - lr m / (sqrt(v) + eps), with bias-corrected averages m and v.

    With the corrections c1 and c2 taken out of the averages, the step is r m / n, of the length
    r = lr sqrt(c2) / c1 and with the denominator n = sqrt(v) + eps sqrt(c2), so that

        d theta' / dg = -r ((1 - beta1) - (1 - beta2) m g / (sqrt(v) n)) / n

    where the second term is 0 where v is.
    """
    beta1, beta2 = (float(beta) for beta in group["betas"])
    rate, decay = float(group["lr"]), group["weight_decay"]
    correction1, correction2 = 1 - beta1 ** (steps + 1), 1 - beta2 ** (steps + 1)
    length = rate * correction2**0.5 / correction1
    # Adam adds the decay to the gradient; AdamW, which may be a flag of Adam, shrinks theta.
    decoupled = group.get("decoupled_weight_decay", False)
    if decay and not decoupled:
        gradients = torch._foreach_add(gradients, theta, alpha=decay)
    mean = torch._foreach_mul(gradients, 1 - beta1)
    root = torch._foreach_mul(gradients, gradients)
    torch._foreach_mul_(root, 1 - beta2)
    if states:
        torch._foreach_add_(mean, [s["exp_avg"] for s in states], alpha=beta1)
        torch._foreach_add_(root, [s["exp_avg_sq"] for s in states], alpha=beta2)
    torch._foreach_sqrt_(root)
    denominator = torch._foreach_add(root, group["eps"] * correction2**0.5)
    start = torch._foreach_mul(theta, 1 - rate * decay) if decoupled else theta
    after = torch._foreach_addcdiv(start, mean, denominator, value=-length)

    torch._foreach_clamp_min_(root, torch.finfo(root[0].dtype).tiny)
    change = torch._foreach_div(gradients, root)
    torch._foreach_mul_(change, mean)
    torch._foreach_div_(change, denominator)
    torch._foreach_mul_(change, length * (1 - beta2))
    torch._foreach_sub_(change, length * (1 - beta1))
    torch._foreach_div_(change, denominator)
    return after, change


@contextmanager
def replaced(
    objective: Objective, parameters: Sequence[nn.Parameter], values: Sequence[Tensor]
) -> Iterator[None]:
    """Let parameters have other values for a while; buffers are put back as they were too.

    Storage is exchanged, not written: the old values come back to the bit, and graphs that were
    made with them stay valid.
    """
    before = [parameter.data for parameter in parameters]
    try:
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
        with kept_statistics(objective):
            yield
    finally:
        for parameter, value in zip(parameters, before, strict=True):
            parameter.data = value
