"""The search for parameters above 0, on their logarithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
MAX_STEPS: Final = 5_000
MAX_LOSSES: Final = 10_000
STEP: Final = 1e-6
"""On logarithms, for slopes."""


def searched(
    loss: Callable[[Floats], float],
    starts: Sequence[Sequence[float]],
    bounds: Sequence[float],
    *,
    polished: bool = True,
) -> tuple[list[float], float]:
    """The parameters with the least loss that is found from any of `starts`, and that loss. `loss` takes parameters;
    `starts` and `bounds` (of their size, one for each) are logarithms.

    Each start goes down the slopes (L-BFGS-B), and from the best end a search without slopes goes on (Nelder-Mead),
    because the likelihoods are flat near their tops. Without `polished` it does not: good for a comparison of errors.
    """

    def of_logs(logs: Floats) -> float:
        return loss(np.exp(logs))

    limits = [(-bound, bound) for bound in bounds]
    runs = [
        minimize(
            of_logs,
            np.array(start, dtype=np.float64),
            method="L-BFGS-B",
            bounds=limits,
            options={"maxiter": MAX_STEPS, "maxfun": MAX_LOSSES, "eps": STEP, "ftol": 1e-13, "gtol": 1e-9},
        )
        for start in starts
    ]
    best = min(runs, key=lambda run: float(run.fun))
    if polished:
        best = minimize(
            of_logs,
            best.x,
            method="Nelder-Mead",
            bounds=limits,
            options={"maxiter": MAX_STEPS, "maxfev": MAX_LOSSES, "xatol": 1e-9, "fatol": 1e-13},
        )
    return [float(one) for one in np.exp(best.x)], float(best.fun)
