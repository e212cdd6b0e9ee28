"""A small net with a listwise softmax, trained with Adam. Plain numpy; chance is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from reco.model.rows import Floats32, Ints

HIDDEN = (64, 32)
RATE = 1e-3
DECAYS = (0.9, 0.999)
WEIGHT_DECAY = 1e-4
AVERAGED_STEPS = 200
"""About so many of the newest steps are averaged in the weights that score."""


@dataclass(frozen=True)
class Lists:
    """A batch: lists x candidates x features, which candidates are real, and the place of the one that was taken.

    `weights`: how much each list counts; without them each counts once.
    """

    features: Floats32
    real: Floats32
    taken: Ints
    weights: Floats32 | None = None


class Net:
    """score(x) = x.w + mlp(x), two hidden layers of rectifiers. It begins as the linear blend `start` alone.

    What scores is the running mean of the weights that learn, which varies less than they do (Polyak, Juditsky, SIAM J.
    Control Optim. 1992).
    """

    def __init__(self, start: Floats32, seed: np.random.Generator) -> None:
        sizes = (len(start), *HIDDEN, 1)
        self.weights: list[Floats32] = [start.astype(np.float32).reshape(-1, 1).copy()]
        for inward, outward in pairwise(sizes):
            scale = np.sqrt(2.0 / inward) if outward > 1 else 0.0
            self.weights.append(seed.normal(0.0, 1.0, (inward, outward)).astype(np.float32) * np.float32(scale))
            self.weights.append(np.zeros(outward, dtype=np.float32))
        self.first = [np.zeros_like(one) for one in self.weights]
        self.second = [np.zeros_like(one) for one in self.weights]
        self.means = [one.copy() for one in self.weights]
        self.steps = 0

    def scores(self, features: Floats32) -> Floats32:
        """One score for each row of features (n x features)."""
        return self._forward(self.means, features)[0]

    def _forward(self, weights: list[Floats32], x: Floats32) -> tuple[Floats32, Floats32, Floats32]:
        linear, a, a0, b, b0, c, c0 = weights
        one = np.maximum(x @ a + a0, 0)
        two = np.maximum(one @ b + b0, 0)
        return (x @ linear + two @ c + c0)[:, 0], one, two

    def learn(self, lists: Lists, rate: float = RATE) -> float:
        """One step of Adam on the mean loss of what was taken; returns that mean from before."""
        loss, slopes = self.slopes(lists)
        self._step(slopes, rate)
        return loss

    def slopes(self, lists: Lists) -> tuple[float, list[Floats32]]:
        """The mean over the lists of weight x negative log-likelihood, and its slope in each weight of the net."""
        count, width, size = lists.features.shape
        x = lists.features.reshape(-1, size)
        scores, one, two = self._forward(self.weights, x)
        chances = _softmax(scores.reshape(count, width), lists.real)
        rows = np.arange(count)
        weights = np.ones(count, dtype=np.float32) if lists.weights is None else lists.weights
        loss = float((-np.log(np.maximum(chances[rows, lists.taken], 1e-12)) * weights).mean())
        chances[rows, lists.taken] -= 1.0
        return loss, self._backward(x, one, two, (chances * weights[:, None] / count).reshape(-1, 1))

    def _backward(self, x: Floats32, one: Floats32, two: Floats32, out: Floats32) -> list[Floats32]:
        _, _, _, b, _, c, _ = self.weights
        back_two = (out @ c.T) * (two > 0)
        back_one = (back_two @ b.T) * (one > 0)
        return [
            x.T @ out,
            x.T @ back_one,
            back_one.sum(axis=0),
            one.T @ back_two,
            back_two.sum(axis=0),
            two.T @ out,
            out.sum(axis=0),
        ]

    def _step(self, slopes: list[Floats32], rate: float) -> None:
        self.steps += 1
        fast, slow = DECAYS
        scale = rate * np.sqrt(1 - slow**self.steps) / (1 - fast**self.steps)
        for weight, first, second, slope in zip(self.weights, self.first, self.second, slopes, strict=True):
            first += (1 - fast) * (slope - first)
            second += (1 - slow) * (slope * slope - second)
            weight -= (
                np.float32(scale) * first / (np.sqrt(second) + np.float32(1e-8))
                + np.float32(rate * WEIGHT_DECAY) * weight
            )
        share = np.float32(max(1.0 / (self.steps + 1), 1.0 / AVERAGED_STEPS))
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean += share * (weight - mean)


def _softmax(scores: Floats32, real: Floats32) -> Floats32:
    shifted = np.where(real > 0, scores, -np.inf)
    shifted -= shifted.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
