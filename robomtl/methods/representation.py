"""Gradients of each task with respect to a shared representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from robomtl.methods.gradients import Check, Gradients, TaskGradients, detached
from robomtl.methods.objective import shared_parameters, task_parameters


class RepresentationGradients(TaskGradients):
    """Gradients of K losses with respect to a shared representation z.

    One forward pass and one backward pass through each decoder give z_i = dL_i/dz. What the
    encoder's parameters should get follows by the chain rule from any combination of the z_i, so
    K tasks cost one backward pass through the encoder. Parts of z that no trained parameter has a
    say in do not count: nothing could be done about their gradients.

    Args:
        objective: The problem.
        batch: What the losses are computed from.
        check: Looks at the losses before anything is differentiated.
    """

    def __init__(self, objective: Any, batch: Any, check: Check) -> None:
        self.tasks = objective.tasks
        self.shared = shared_parameters(objective)
        self.own = [task_parameters(objective, task) for task in self.tasks]
        encoded = list(objective.encode(batch))
        self._representation = [z for z in encoded if z.requires_grad]
        # Each task starts from leaves of its own, so that one backward pass keeps them apart.
        starts = [[z.detach().requires_grad_(z.requires_grad) for z in encoded] for _ in self.tasks]
        leaves = [[z for z in start if z.requires_grad] for start in starts]
        losses = [
            objective.decode(start, batch, task)
            for start, task in zip(starts, self.tasks, strict=True)
        ]
        check(losses)
        self.losses = detached(losses)
        found = torch.autograd.grad(
            torch.stack(losses).sum(),
            [tensor for group in (*leaves, *self.own) for tensor in group],
            allow_unused=True,
        )
        remaining = iter(found)
        rows = [[next(remaining) for _ in self._representation] for _ in self.tasks]
        self.own_gradients = [[next(remaining) for _ in group] for group in self.own]
        self._blocks = [
            torch.stack([torch.zeros_like(z) if row[i] is None else row[i] for row in rows])
            for i, z in enumerate(self._representation)
        ]
        self._tangent: tuple[list[Tensor], Gradients] | None = None
        self._combined: tuple[Tensor, list[Tensor | None]] | None = None

    def _rows(self) -> list[Tensor]:
        return self._blocks

    def combine(self, coefficients: Tensor) -> list[Tensor | None]:
        """Return (dz/dtheta)^T sum_i c_i z_i for each shared parameter."""
        if self._combined is not None and self._combined[0].equal(coefficients):
            return list(self._combined[1])
        return list(self._backward(self._cotangents(coefficients), create_graph=False))

    def combine_for_dot(self, coefficients: Tensor) -> list[Tensor | None]:
        """Do as `combine`, and keep what `dot` needs."""
        cotangents = [c.requires_grad_() for c in self._cotangents(coefficients)]
        gradients = self._backward(cotangents, create_graph=True)
        self._tangent = (cotangents, gradients)
        found = [None if g is None else g.detach() for g in gradients]
        self._combined = (coefficients, found)
        return list(found)

    def dot(self, shared: Gradients, own: Sequence[Gradients]) -> Tensor:
        """Return <g_i, v> for each task, (K,) float64, after `combine_for_dot`.

        With J = dz/dtheta, <J^T c, v> is linear in c, and its gradient with respect to c is J v:
        the direction in which v moves the representation. Then <g_i, v> = <z_i, J v>.
        """
        assert self._tangent is not None
        cotangents, gradients = self._tangent
        self._tangent = None
        pairs = [
            (g, v)
            for g, v in zip(gradients, shared, strict=True)
            if g is not None and v is not None
        ]
        if not pairs:
            return self._dot_own(own)
        product = torch.stack([(g * v).sum() for g, v in pairs]).sum()
        moved = torch.autograd.grad(product, cotangents, retain_graph=True, allow_unused=True)
        products = [
            torch.mv(rows.flatten(1), m.reshape(-1).to(rows.dtype))
            for rows, m in zip(self._blocks, moved, strict=True)
            if m is not None
        ]
        return torch.stack(products).cpu().double().sum(0) + self._dot_own(own)

    def _cotangents(self, coefficients: Tensor) -> list[Tensor]:
        return [
            torch.mv(rows.flatten(1).T, coefficients.to(rows)).view(rows.shape[1:])
            for rows in self._blocks
        ]

    def _backward(self, cotangents: list[Tensor], *, create_graph: bool) -> Gradients:
        if not self._representation or not self.shared:  # the encoder is not trained
            return [None] * len(self.shared)
        return torch.autograd.grad(
            self._representation,
            self.shared,
            cotangents,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
