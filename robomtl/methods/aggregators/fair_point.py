"""The coefficients that share progress fairly: what Nash-MTL and FairGrad both solve."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.exceptions import SolverError
from robomtl.methods.aggregators.unit import STATIONARY


def fair_point(matrix: Array, gains: Array, power: float) -> Array:
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
    a *= (a @ a / (a @ matrix @ a)) ** (1 / (1 + power))  # best multiple of the start
    kappa = max(1.0, (1 + power) / 2)
    precision = float(np.finfo(np.float64).eps)
    for _ in range(200):
        scaled = matrix * a * a[:, None]
        s = gains * a ** (1 - power)
        residual = s - scaled.sum(1)
        noise = float((np.abs(scaled).sum(1) / s).max()) * precision
        r = np.linalg.solve(scaled + np.diag(power * s), residual)
        low, high = float(r.min()), float(r.max())
        fall = kappa * max(0.0, -low)
        a = a * (1 + r * (1 if fall < 0.5 else 1 / (1 + fall)))
        # Convergence is quadratic: after a step of 1e-7 the error is near 1e-14.
        if max(high, -low) < max(1e-7, noise):
            length = float(np.sqrt(gains @ a ** (1 - power)))  # sqrt(a^T M a)
            return a if a.max() * STATIONARY <= length else np.zeros_like(a)
    raise SolverError(f"No fair coefficients were found: M = {matrix}, k = {gains}, p = {power}")
