"""`python -m bench.peers.releasing opendp|pydp FILE RELEASES SECONDS`: the same releases by the libraries' own ways.

What a member did is summed by numpy, as neither library does it; the libraries cut, count, sum and noise.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

EPSILON = 1.0
CAP = 100


@dataclass(frozen=True)
class Released:
    """Releases of one way: root mean square errors against the exact numbers within the bounds, medians of times, and
    the times of the noise alone where they can be told."""

    way: str
    rows: int
    releases: int
    count_rmse: float
    sum_rmse: float
    release_ms: float
    noise_ms: float
    noise_p99_ms: float


def timed(
    way: str,
    rows: int,
    truth: tuple[int, int],
    found: Sequence[tuple[float, float]],
    whole_ms: Sequence[float],
    noise_ms: Sequence[float] = (),
) -> Released:
    """The figures of these releases."""
    count_rmse, sum_rmse = (
        math.sqrt(statistics.fmean((one[place] - truth[place]) ** 2 for one in found)) for place in (0, 1)
    )
    ordered = sorted(noise_ms) or [math.nan]
    return Released(
        way=way,
        rows=rows,
        releases=len(found),
        count_rmse=count_rmse,
        sum_rmse=sum_rmse,
        release_ms=statistics.median(whole_ms),
        noise_ms=statistics.median(ordered),
        noise_p99_ms=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )


def _opendp() -> Mapping[str, Callable[[Any], tuple[float, float]]]:
    import opendp.prelude as dp  # type: ignore[import-not-found]

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.symmetric_distance()
    count = space >> dp.t.then_count() >> dp.m.then_laplace(scale=1 / EPSILON)
    total = space >> dp.t.then_clamp((0, CAP)) >> dp.t.then_sum() >> dp.m.then_laplace(scale=CAP / EPSILON)
    assert count.map(1) <= EPSILON * 1.000001 and total.map(1) <= EPSILON * 1.000001
    return {
        "OpenDP, from numpy": lambda did: (count(did), total(did)),
        "OpenDP, from a list": lambda did: (count(listed := did.tolist()), total(listed)),
    }


def _pydp() -> Mapping[str, Callable[[Any], tuple[float, float]]]:
    from pydp.algorithms.laplacian import BoundedSum, Count  # type: ignore[import-untyped]

    def fed(did: Any) -> tuple[float, float]:
        values = did.tolist()
        count = Count(epsilon=EPSILON, dtype="int")
        total = BoundedSum(epsilon=EPSILON, lower_bound=0, upper_bound=CAP, dtype="int")
        return count.quick_result(values), total.quick_result(values)

    return {"PyDP, fed by value": fed}


def released(
    way: str, file: str, release: Callable[[Any], tuple[float, float]], releases: int, seconds: float
) -> Released:
    """As many releases as the bounds allow."""
    data = np.load(file)
    members, values = data["members"], data["values"]
    exact = np.bincount(members, values)
    truth = int((exact > 0).sum()), int(np.minimum(exact, CAP).sum())
    found: list[tuple[float, float]] = []
    whole_ms: list[float] = []
    give_up_at = time.monotonic() + seconds
    while len(found) < releases and time.monotonic() < give_up_at:
        began = time.perf_counter()
        did = np.bincount(members, values)
        found.append(release(did[did > 0].astype(np.int64)))
        whole_ms.append((time.perf_counter() - began) * 1e3)
    return timed(way, len(members), truth, found, whole_ms)


def main(argv: Sequence[str]) -> int:
    """Print the releases as JSON."""
    kind, file, releases, seconds = argv
    ways = {"opendp": _opendp, "pydp": _pydp}[kind]()
    found = [released(name, file, release, int(releases), float(seconds)) for name, release in ways.items()]
    print(json.dumps([asdict(one) for one in found]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
