"""The slice of recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

import numpy as np

from reco.impression.recording import Recorder
from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.experiments import Experiment
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.placing import Rules
from reco.recommendation.following import LEARNED_FROM, PostgresFactTables, follow
from reco.recommendation.once import bounds_of
from reco.recommendation.projections import GROUPS
from reco.recommendation.queries import OfMember, Outcomes
from reco.recommendation.rpc import POLICIES, RecommendationRpcs
from reco.recommendation.states import States, TrainedElsewhere, version_of_both
from reco.recommendation.sweeping import sweep_impressions
from reco.recommendation.teaching import Teacher
from reco.settings import RecoSettings
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.slices import Slice

SEED = 1
"""Where the model's chance begins: replicas that saw the same answer the same."""


class Parts(NamedTuple):
    """What the RPCs and the background tasks of one process share: the copy of the tables, the queue of impressions,
    and which learned state and trained vectors the copy's model uses."""

    factors: LiveFactors
    recorder: Recorder
    states: States
    trained: TrainedElsewhere


class Shared:
    """The parts of this process, made once for its wiring."""

    def __init__(self) -> None:
        self._made: tuple[Wiring, Parts] | None = None

    def rpcs(self, wiring: Wiring) -> RecommendationRpcs:
        """What the slice serves."""
        settings: RecoSettings = wiring.settings
        parts = self.of(wiring)
        return RecommendationRpcs(
            factors=parts.factors,
            of_member=OfMember(wiring.queries),
            outcomes=Outcomes(wiring.queries),
            rules=Rules(settings.reco_max_per_creator, settings.reco_explored_share),
            session=timedelta(seconds=settings.reco_session_s),
            kept=timedelta(days=settings.reco_impressions_days),
            experiment=_experiment(settings),
            record=parts.recorder.take,
            version=lambda: version_of_both(parts.states, parts.trained),
            rng=wiring.rng,
        )

    def background(self, wiring: Wiring) -> Mapping[str, Work]:
        """The follower of the read tables, the recorder of impressions, and the sweeper of old ones."""
        factors, recorder, states, trained = self.of(wiring)
        return {
            "follower": partial(follow, factors, states, trained, wiring.settings.reco_refresh_s),
            "impressions": recorder.run,
            "sweeper": partial(sweep_impressions, wiring.pool, wiring.settings.reco_impressions_days),
        }

    def factors(self, wiring: Wiring) -> LiveFactors:
        """The copy that answers."""
        return self.of(wiring).factors

    def recorder(self, wiring: Wiring) -> Recorder:
        """The queue of impressions."""
        return self.of(wiring).recorder

    def of(self, wiring: Wiring) -> Parts:
        """The parts for this wiring."""
        if self._made is None or self._made[0] is not wiring:
            parts = Parts(
                factors=LiveFactors(PostgresFactTables(wiring.queries), _copy(Copy, wiring.settings)),
                recorder=Recorder(wiring.store, wiring.wake_relay),
                states=States(wiring.queries),
                trained=TrainedElsewhere(wiring.queries),
            )
            self._made = wiring, parts
        return self._made[1]


def learning(wiring: Wiring) -> Mapping[str, Work]:
    """The work of the process that learns."""
    factors = LiveFactors(PostgresFactTables(wiring.queries, LEARNED_FROM), _copy(LearningCopy, wiring.settings))
    return {"teacher": Teacher(factors, States(wiring.pool), TrainedElsewhere(wiring.queries)).run}


C = TypeVar("C", bound=Copy)


def _copy(kind: type[C], settings: RecoSettings) -> C:
    bounds = bounds_of(settings)
    return kind(bounds, partial(_model, settings))


def _model(settings: RecoSettings) -> Model:
    held = Settings(
        max_items=settings.reco_max_items,
        max_pairs=settings.reco_max_pairs,
        max_history=settings.reco_max_history_items,
        max_dense_items=settings.reco_max_dense_items,
    )
    return Model(held, np.random.default_rng(SEED))


def _experiment(settings: RecoSettings) -> Experiment | None:
    return Experiment(settings.reco_experiment, settings.reco_arms) if settings.reco_experiment else None


SHARED: Final = Shared()

RECOMMENDATION: Final = Slice(
    groups=GROUPS, policies=POLICIES, rpcs=SHARED.rpcs, background=SHARED.background, further={"learn": learning}
)
