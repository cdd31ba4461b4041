"""ConFIG: the update that has equal cosines with all task gradients."""

from __future__ import annotations

import numpy as np

from robomtl.methods.aggregators.aggregator import Aggregator
from robomtl.methods.aggregators.array import Array
from robomtl.methods.aggregators.equal_cosines import pseudo_solve, solve_gram
from robomtl.methods.aggregators.unit import normalised


class ConFIG(Aggregator):
    """Gives the update the same positive cosine with every task's gradient.

    Liu et al., ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks
    (ICLR 2025), eq. 2: with U the matrix of unit gradients,

        x = U^+ w,  d = (sum_i w_i g_i . x / |x|) x / |x|

    so the cosines of d are proportional to the weights w (1 in the paper), wherever such a
    direction exists, and d is as long as the gradients' projections on it together. The paper
    leaves open how weights count in that length; we weight it too, so that d is proportional to
    w as in every other method. No direction to be found (x = 0): alpha is 0. Tasks without
    gradient get 0.
    """

    sums = True

    def coefficients(self, gram: Array, weights: Array) -> Array:
        """Return the coefficients of d."""
        alpha = np.zeros_like(weights)
        tasks = np.flatnonzero(gram.diagonal())
        unit, lengths = normalised(gram[np.ix_(tasks, tasks)])
        wanted = weights[tasks]
        v = solve_gram(unit, wanted)
        if v is None:
            v = pseudo_solve(unit, wanted)
        cosines = unit @ v
        squared = float(v @ cosines)  # |x|^2
        if squared > 1e-20 * float(wanted @ wanted):
            alpha[tasks] = v / lengths * ((wanted * lengths) @ cosines / squared)
        return alpha
