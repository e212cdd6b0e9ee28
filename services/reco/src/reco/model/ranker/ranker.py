"""The learned combination of the parts: nets that learn from outcomes, and start as a fixed blend."""

from __future__ import annotations

import io
from zipfile import BadZipFile

import numpy as np

from reco.model.ranker.net import HIDDEN, Net
from reco.model.ranker.replay import Replay
from reco.model.rows import Floats32

VERSION = 1
NEW_PER_STEP = 16
OLD_PER_STEP = 48


class StateRefused(ValueError):
    """Bytes that are no state of this ranker: another version, other features, or damaged."""


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

    def add(self, features: Floats32, taken: int) -> None:
        """An outcome: what was on offer, and the row that was taken. Learns whenever enough are new."""
        self._replay.add(features, taken, self._seed)
        self._waiting += 1
        if self._waiting >= NEW_PER_STEP:
            self._waiting = 0
            for net in self._nets:
                net.learn(self._replay.drawn(NEW_PER_STEP, OLD_PER_STEP, self._seed))

    def to_bytes(self) -> bytes:
        """What has been learned: weights and the optimiser's state. The replay is not kept."""
        arrays = {"version": np.array(VERSION), "names": np.array(self._names), "hidden": np.array(HIDDEN)}
        for at, net in enumerate(self._nets):
            arrays[f"{at}.steps"] = np.array(net.steps)
            for kind, weights in (("w", net.weights), ("a", net.first), ("b", net.second)):
                arrays |= {f"{at}.{kind}.{layer}": weight for layer, weight in enumerate(weights)}
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        return out.getvalue()

    def from_bytes(self, state: bytes) -> None:
        """Go on from a state. Raises `StateRefused`, and then nothing has changed."""
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
        except (ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
            raise StateRefused("the ranker's state cannot be read") from error
        self._check(arrays)
        for at, net in enumerate(self._nets):
            net.steps = int(arrays[f"{at}.steps"])
            for kind, weights in (("w", net.weights), ("a", net.first), ("b", net.second)):
                weights[:] = [arrays[f"{at}.{kind}.{layer}"] for layer in range(len(weights))]

    def _check(self, arrays: dict[str, np.ndarray]) -> None:
        if int(arrays.get("version", np.array(0))) != VERSION:
            raise StateRefused("the ranker's state has another version")
        if tuple(arrays["names"].tolist()) != self._names or tuple(arrays["hidden"].tolist()) != HIDDEN:
            raise StateRefused("the ranker's state is of other features")
        for at, net in enumerate(self._nets):
            for kind, weights in (("w", net.weights), ("a", net.first), ("b", net.second)):
                for layer, weight in enumerate(weights):
                    kept = arrays.get(f"{at}.{kind}.{layer}")
                    if kept is None or kept.shape != weight.shape or not np.isfinite(kept).all():
                        raise StateRefused("the ranker's state is damaged or of another number of nets")
