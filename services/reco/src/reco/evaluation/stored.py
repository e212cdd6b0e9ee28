"""Events from a running installation: the members' first signals, as the read tables hold them."""

from __future__ import annotations

import asyncio
from datetime import datetime

import numpy as np
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from pydantic import ValidationError

from reco.evaluation.files import Event, WrongFile
from reco.model.rows import SECOND_US
from reco.recommendation.application.learning import LearningCopy
from reco.recommendation.application.pairs import micros
from reco.recommendation.once import bounds_of, filled, names, unused
from reco.settings import RecoSettings

Tags = dict[str, tuple[str, ...]]


def read_stored(start: datetime | None, end: datetime | None) -> tuple[list[Event], Tags]:
    """Events from `start` on and before `end` (None: all), and the tags of contents, from the database of DATABASE_URL.
    Raises `WrongFile` where there is no such database or nothing in it."""
    try:
        settings = RecoSettings()
    except ValidationError as failure:
        raise WrongFile(f"without --events the events are read from reco's database: set {names(failure)}") from failure
    try:
        copy = asyncio.run(filled(settings, LearningCopy(bounds_of(settings), unused)))
    except (OperationalError, PoolTimeout) as failure:
        raise WrongFile(f"reco's database does not answer: {str(failure).strip()}") from failure
    return _events(copy, start, end), {one: tuple(row.tags) for one, row in copy.items.items()}


def _events(copy: LearningCopy, start: datetime | None, end: datetime | None) -> list[Event]:
    first_us, last_us = (micros(start) if start else 0), (micros(end) if end else np.iinfo(np.int64).max)
    found = [
        Event(pair.member_id, pair.content_id, pair.first_us // SECOND_US, pair.strength)
        for pair in copy.waiting
        if first_us <= pair.first_us < last_us and pair.content_id in copy.items
    ]
    if not found:
        raise WrongFile("reco's database holds no signals from that time")
    return found
