"""The learned combination of the parts: nets that learn from outcomes, and start as a fixed blend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reco.model.ranker.net import HIDDEN, Net
from reco.model.ranker.replay import Replay
from reco.model.rows import Floats32
from reco.model.state import Arrays, StateRefused

NEW_PER_STEP = 4
OLD_PER_STEP = 28


class Ranker:
    """Scores features (candidates x features); learns one step for every `NEW_PER_STEP` outcomes."""

    def __init__(
        self, names: tuple[str, ...], start: Floats32, nets: int, replay: int, seed: np.random.Generator
    ) -> None:
        self._names = names
        self._seed = seed
        self._nets = [Net(start, seed) for _ in range(nets)]
        self._replay = Replay(replay, len(names))
        self._waiting = 0

    @property
    def outcomes(self) -> int:
        """Outcomes seen since this process began."""
        return self._replay.seen

    def scores(self, features: Floats32) -> Floats32:
        """The mean of the nets' scores, higher is better; finite for finite features."""
        return np.asarray(np.mean([net.scores(features) for net in self._nets], axis=0), dtype=np.float32)

    def add(self, features: Floats32, taken: int, weight: float = 1.0) -> None:
        """An outcome: what was on offer, and the row that was taken; it counts as `weight` such outcomes. Learns
        whenever enough are new. Raises `ValueError` for a weight that is not above 0 and finite."""
        if not 0.0 < weight < np.inf:
            raise ValueError(f"weight must be above 0 and finite, not {weight}")
        self._replay.add(features, taken, self._seed, weight)
        self._waiting += 1
        if self._waiting >= NEW_PER_STEP:
            self._waiting = 0
            for net in self._nets:
                net.learn(self._replay.drawn(NEW_PER_STEP, OLD_PER_STEP, self._seed))

    def state(self) -> Arrays:
        """What has been learned: weights and the optimiser's state. The replay is not kept."""
        arrays: Arrays = {"names": np.array(self._names), "hidden": np.array(HIDDEN)}
        for at, net in enumerate(self._nets):
            arrays[f"{at}.steps"] = np.array(net.steps)
            for kind, weights in _kinds(net):
                arrays |= {f"{at}.{kind}.{layer}": weight.copy() for layer, weight in enumerate(weights)}
        return arrays

    def check(self, arrays: Arrays) -> None:
        """Raises `StateRefused` unless `restore` can take the arrays."""
        names, hidden = arrays.get("names"), arrays.get("hidden")
        if names is None or hidden is None or names.tolist() != list(self._names) or hidden.tolist() != list(HIDDEN):
            raise StateRefused("the ranker's state is of other features")
        for at, net in enumerate(self._nets):
            if f"{at}.steps" not in arrays:
                raise StateRefused("the ranker's state is of another number of nets")
            for kind, weights in _kinds(net):
                for layer, weight in enumerate(weights):
                    _check_one(arrays.get(f"{at}.{kind}.{layer}"), weight)

    def restore(self, arrays: Arrays) -> None:
        """Go on from a state that `check` has passed."""
        for at, net in enumerate(self._nets):
            net.steps = int(arrays[f"{at}.steps"])
            for kind, weights in _kinds(net):
                weights[:] = [arrays[f"{at}.{kind}.{layer}"].astype(np.float32) for layer in range(len(weights))]


def _check_one(kept: NDArray[Any] | None, weight: Floats32) -> None:
    if kept is None or kept.shape != weight.shape or not np.isfinite(kept).all():
        raise StateRefused("the ranker's state is damaged or of another number of nets")


def _kinds(net: Net) -> tuple[tuple[str, list[Floats32]], ...]:
    return ("w", net.weights), ("m", net.means), ("a", net.first), ("b", net.second)
