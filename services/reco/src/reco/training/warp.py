"""LightFM: hybrid factors by a ranking loss (WARP), on one machine. Kula, arXiv 1507.08439; Weston et al., IJCAI 2011.

Every vector is a sum over features, so that new contents and new members have one, too. Contents to which no member
took are left out: as negatives they would only be learned to be bad, while their features say better.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reco.model.rows import Floats32, Ints
from reco.training.factors import Trained, Vectors
from reco.training.facts import Facts
from reco.training.features import Features, of_items, of_members
from reco.training.progress import Progress
from reco.training.refusals import TrainingRefused, needed

ENGINE: Final = "lightfm"
LEARNING_RATE: Final = 0.05
MAX_SAMPLED: Final = 30
"""Negatives tried for each positive until one is ranked too high."""


@dataclass(frozen=True)
class Choices:
    """`threads` above 1 make each run come out a little different."""

    dimensions: int
    rounds: int
    threads: int
    seed: int
    most_s: float


def trained(facts: Facts, choices: Choices) -> Trained:
    """Factors from facts. Blocking; minutes for a million pairs. Raises `TrainingRefused` where LightFM is absent,
    nothing is liked, or the time is up."""
    lightfm, sparse = needed("lightfm", "LightFM"), needed("scipy.sparse", "SciPy")
    numbers, liked, strengths = _liked(facts, sparse)
    items = [facts.items[number] for number in numbers.tolist()]
    of_item, of_member = of_items(items), of_members(facts)
    item_rows = _with_identity(sparse, of_item, len(items))
    member_rows = _with_identity(sparse, of_member, facts.member_count)
    model = lightfm.LightFM(
        no_components=choices.dimensions,
        loss="warp",
        learning_rate=LEARNING_RATE,
        max_sampled=MAX_SAMPLED,
        random_state=choices.seed,
    )
    _fit(
        model, choices, interactions=liked, sample_weight=strengths, user_features=member_rows, item_features=item_rows
    )
    biases, vectors = model.get_item_representations(features=item_rows)
    features, tastes = model.item_embeddings[len(items) :], model.user_embeddings[facts.member_count :]
    return Trained(
        engine=ENGINE,
        origin=facts.origin,
        items=Vectors(tuple(one.content_id for one in items), _joined(vectors, biases)),
        features=Vectors(of_item.names, _joined(features, model.item_biases[len(items) :])),
        tastes=Vectors(of_member.names, _joined(tastes, np.zeros(len(tastes)))),
    )


def _liked(facts: Facts, sparse: Any) -> tuple[Ints, Any, Any]:
    """The numbers of the items in question, the positives (members x these items), and how much each weighs: what its
    strength says, 1 in the mean."""
    positive = facts.strengths > 0
    if not positive.any():
        raise TrainingRefused("there is no pair that speaks for its content, so there is nothing to train on")
    numbers, places = np.unique(facts.pair_items[positive], return_inverse=True)
    cells = facts.pair_members[positive].astype(np.int32), places.astype(np.int32)
    shape = facts.member_count, len(numbers)
    weights = (facts.strengths[positive] / facts.strengths[positive].mean()).astype(np.float32)
    ones = np.ones(len(weights), dtype=np.float32)
    return numbers, sparse.coo_matrix((ones, cells), shape=shape), sparse.coo_matrix((weights, cells), shape=shape)


def _with_identity(sparse: Any, features: Features, count: int) -> Any:
    """A column for each row itself, and then one for each feature."""
    own = np.arange(count, dtype=np.int64)
    rows, columns = np.concatenate([own, features.rows]), np.concatenate([own, count + features.columns])
    weights = np.concatenate([np.ones(count, dtype=np.float32), features.weights])
    return sparse.csr_matrix((weights, (rows, columns)), shape=(count, count + len(features.names)), dtype=np.float32)


def _fit(model: Any, choices: Choices, **given: Any) -> None:
    progress, give_up_at = Progress("rounds", choices.rounds), time.monotonic() + choices.most_s
    for _ in range(choices.rounds):
        if time.monotonic() > give_up_at:
            raise TrainingRefused(f"training took longer than {choices.most_s:,.0f} s")
        model.fit_partial(epochs=1, num_threads=choices.threads, **given)
        progress.add(1)


def _joined(vectors: Any, biases: Any) -> Floats32:
    return np.concatenate([vectors, np.asarray(biases)[:, None]], axis=1).astype(np.float32)
