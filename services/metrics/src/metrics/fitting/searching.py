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


def searched(
    loss: Callable[[Floats], float], starts: Sequence[Sequence[float]], bounds: Sequence[float]
) -> tuple[list[float], float]:
    """The parameters with the least loss that is found from any of `starts`, and that loss. `loss` takes parameters;
    `starts` and `bounds` (of their size, one for each) are logarithms."""

    def of_logs(logs: Floats) -> float:
        return loss(np.exp(logs))

    runs = [
        minimize(
            of_logs,
            np.array(start, dtype=np.float64),
            method="Nelder-Mead",
            bounds=[(-bound, bound) for bound in bounds],
            options={"maxiter": MAX_STEPS, "maxfev": MAX_LOSSES, "xatol": 1e-9, "fatol": 1e-13},
        )
        for start in starts
    ]
    best = min(runs, key=lambda run: float(run.fun))
    return [float(one) for one in np.exp(best.x)], float(best.fun)
