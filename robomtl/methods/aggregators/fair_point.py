"""The coefficients that share progress fairly: what Nash-MTL and FairGrad both solve."""

from __future__ import annotations

import torch
from torch import Tensor

from robomtl.methods.aggregators.exceptions import SolverError
from robomtl.methods.aggregators.unit import STATIONARY


def fair_point(matrix: Tensor, gains: Tensor, power: float) -> Tensor:
    """Return the only a > 0 with (M a)_i = k_i a_i^(-p), (K,), or 0 at a stationary point.

    Where gradients cancel, M a = 0 for some a > 0 and there is no solution: a grows without
    bound while its update stays as long as ever. When the update is less than `STATIONARY` of
    the largest coefficient, it is rounding, and we return 0: no direction helps every task.

    It minimises the convex a^T M a / 2 - sum_i k_i F(a_i), where F' = a^(-p). Newton steps are
    taken in relative changes r = da / a, in which the system is (A + p diag(s)) r = s - A 1 with
    A = diag(a) M diag(a) and s_i = k_i a_i^(1-p): well conditioned whatever a's magnitudes are.
    With rho the largest relative fall and kappa = max(1, (1 + p) / 2), the second derivative
    along the step grows at most as (1 - kappa rho t)^(-2), so a step of length
    1 / (1 + kappa rho) always lowers the objective.

    Args:
        matrix: M, positive definite with about unit diagonal, float64 (K, K).
        gains: k > 0, (K,).
        power: p > 0.

    Raises:
        SolverError: Newton's method did not settle.
    """
    a = gains ** (1 / (1 + power))
    a *= (a.square().sum() / (a @ matrix @ a)) ** (1 / (1 + power))  # best multiple of the start
    kappa = max(1.0, (1 + power) / 2)
    precision = torch.finfo(torch.float64).eps
    for _ in range(200):
        scaled = matrix * a * a[:, None]
        s = gains * a ** (1 - power)
        residual = s - scaled.sum(1)
        noise = (scaled.abs().sum(1) / s).max().item() * precision
        scaled.diagonal().add_(s, alpha=power)
        factor = torch.linalg.cholesky_ex(scaled).L
        r = torch.cholesky_solve(residual[:, None], factor).flatten()
        low, high = (bound.item() for bound in r.aminmax())
        fall = kappa * max(0.0, -low)
        a = a * (1 + r * (1 if fall < 0.5 else 1 / (1 + fall)))
        # Convergence is quadratic: after a step of 1e-7 the error is near 1e-14.
        if max(high, -low) < max(1e-7, noise):
            length = (gains @ a ** (1 - power)).sqrt().item()  # sqrt(a^T M a)
            return a if a.max().item() * STATIONARY <= length else torch.zeros_like(a)
    raise SolverError(f"No fair coefficients were found: M = {matrix}, k = {gains}, p = {power}")
