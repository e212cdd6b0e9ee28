"""The rows of a running installation, as its servers see them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from psycopg import Error
from psycopg_pool import PoolTimeout
from pydantic import ValidationError

from reco.model.rows import Pair
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.once import bounds_of, filled, names, unused
from reco.recommendation.projections import PairRow
from reco.settings import RecoSettings


class VerificationRefused(Exception):
    """Nothing could be compared; the text is one sentence."""


class Rows(Copy):
    """A copy that keeps what it would tell its model. Raises `VerificationRefused` beyond its bound of pairs."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__(bounds, unused)
        self.told: list[Pair] = []
        """All rows of the one reading."""

    def emptied(self) -> Rows:
        """An empty one with the same bounds."""
        return Rows(self._bounds)

    def take_pairs(self, rows: Sequence[PairRow]) -> None:
        """What members did."""
        super().take_pairs(rows)
        if len(self._told) > self._bounds.max_pairs:
            raise VerificationRefused(
                f"there are more pairs than RECO_MAX_PAIRS ({self._bounds.max_pairs:,}): raise it, as for the servers"
            )

    def _tell_model(self, pairs: Sequence[Pair]) -> None:
        self.told += pairs


def settings_read() -> RecoSettings:
    """The service's settings. Raises `VerificationRefused` naming what is missing or wrong."""
    try:
        return RecoSettings()
    except ValidationError as failure:
        raise VerificationRefused(f"the service's settings are needed: {names(failure)} missing or wrong") from failure


def rows_of(settings: RecoSettings) -> list[Pair]:
    """All rows, read in one snapshot. Raises `VerificationRefused` where the database does not answer."""
    try:
        return asyncio.run(filled(settings, Rows(bounds_of(settings)))).told
    except (Error, PoolTimeout) as failure:
        reason = str(failure).strip().partition("\n")[0] or type(failure).__name__
        raise VerificationRefused(f"reco's tables cannot be read: {reason}") from failure
