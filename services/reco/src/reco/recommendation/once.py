"""Reads an installation's tables once, for commands that need them as the servers see them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.live_factors import LiveFactors
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.following import PostgresFactTables
from reco.settings import RecoSettings
from servicekit.database import connect, make_pool

CONNECTIONS = 1
Kind = TypeVar("Kind", bound=Copy)


def bounds_of(settings: RecoSettings) -> Bounds:
    """The bounds of the servers' copies."""
    return Bounds(settings.reco_max_items, settings.reco_max_pairs, settings.reco_max_history_items)


def unused() -> Model:
    """For copies whose model is told nothing."""
    return Model(Settings(parts=("popular",), max_dense_items=0, replay=1), np.random.default_rng(0))


def names(failure: ValidationError) -> str:
    """The settings that are missing or wrong, as they stand in the environment."""
    return ", ".join("_".join(map(str, one["loc"])).upper() for one in failure.errors())


async def filled(settings: RecoSettings, empty: Kind) -> Kind:
    """A copy of the kind of `empty`, with all rows of one snapshot. Raises what psycopg and its pool raise where the
    database does not answer."""
    async with await connect(settings.database_url):
        pass  # says at once what is wrong, where a pool would go on trying
    async with make_pool(settings.database_url, CONNECTIONS) as pool:
        factors = LiveFactors(PostgresFactTables(pool), empty)
        await factors.refresh()
    assert isinstance(factors.copy, type(empty))  # noqa: S101 - an emptied one is of its kind
    return factors.copy
