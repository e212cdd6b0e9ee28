"""The slice of recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import numpy as np

from reco.impression.recording import Recorder
from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.experiments import Experiment
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.application.placing import Rules
from reco.recommendation.following import PostgresFactTables, follow
from reco.recommendation.projections import GROUPS
from reco.recommendation.queries import OfMember
from reco.recommendation.rpc import POLICIES, RecommendationRpcs
from reco.settings import RecoSettings
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.slices import Slice

SEED = 1
"""Where the model's chance begins: replicas that saw the same answer the same."""
MAX_DENSE_ITEMS = 20_000


class Shared:
    """What the RPCs and the background tasks of one process share: the copy of the tables, and the queue of
    impressions."""

    def __init__(self) -> None:
        self._parts: tuple[Wiring, LiveFactors, Recorder] | None = None

    def rpcs(self, wiring: Wiring) -> RecommendationRpcs:
        """What the slice serves."""
        settings: RecoSettings = wiring.settings
        factors, recorder = self._of(wiring)
        return RecommendationRpcs(
            factors=factors,
            of_member=OfMember(wiring.queries),
            rules=Rules(settings.reco_max_per_creator, settings.reco_explored_share),
            session=timedelta(seconds=settings.reco_session_s),
            experiment=_experiment(settings),
            record=recorder.take,
            rng=wiring.rng,
        )

    def background(self, wiring: Wiring) -> Mapping[str, Work]:
        """The follower of the read tables, and the recorder of impressions."""
        factors, recorder = self._of(wiring)
        return {
            "follower": partial(follow, factors, wiring.settings.reco_refresh_s),
            "impressions": recorder.run,
        }

    def factors(self, wiring: Wiring) -> LiveFactors:
        """The copy that answers."""
        return self._of(wiring)[0]

    def recorder(self, wiring: Wiring) -> Recorder:
        """The queue of impressions."""
        return self._of(wiring)[1]

    def _of(self, wiring: Wiring) -> tuple[LiveFactors, Recorder]:
        if self._parts is None or self._parts[0] is not wiring:
            settings: RecoSettings = wiring.settings
            bounds = Bounds(settings.reco_max_items, settings.reco_max_pairs, settings.reco_max_history_items)
            factors = LiveFactors(PostgresFactTables(wiring.queries), Copy(bounds, partial(_model, settings)))
            self._parts = wiring, factors, Recorder(wiring.store, wiring.wake_relay)
        return self._parts[1:]


def _model(settings: RecoSettings) -> Model:
    held = Settings(
        max_items=settings.reco_max_items,
        max_history=settings.reco_max_history_items,
        dense=settings.reco_max_items <= MAX_DENSE_ITEMS,
    )
    return Model(held, np.random.default_rng(SEED))


def _experiment(settings: RecoSettings) -> Experiment | None:
    return Experiment(settings.reco_experiment, settings.reco_arms) if settings.reco_experiment else None


SHARED: Final = Shared()

RECOMMENDATION: Final = Slice(groups=GROUPS, policies=POLICIES, rpcs=SHARED.rpcs, background=SHARED.background)
