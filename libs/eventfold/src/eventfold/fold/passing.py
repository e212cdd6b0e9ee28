"""Kinds of fold failures: some pass by themselves, some lose the place on a topic, some concern one record, the rest
concern all."""

from __future__ import annotations

from psycopg import DataError, Error, IntegrityError, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg_pool import PoolTimeout

from eventfold.errors import FoldHalts, OffsetGap, RecordsMissing, StalePosition, VersionConflict
from eventfold.fold.deadletter import TooManyParked

PASSING = (OperationalError, IdleInTransactionSessionTimeout, PoolTimeout, StalePosition, VersionConflict)
"""Failures that are retried."""
LOST_PLACE = (OffsetGap, RecordsMissing)
"""The topic changed: after a restart, the worker looks for its place on it again."""
_OF_ALL = (*PASSING, *LOST_PLACE, FoldHalts, TooManyParked, MemoryError)


def of_one_record(failure: Exception) -> bool:
    """Whether the failure may concern a single record, so that the other records can be folded without it. A missing
    table is not the fault of a record; a value out of a column's range is."""
    return not isinstance(failure, _OF_ALL) and (not isinstance(failure, Error) or _is_about_values(failure))


def _is_about_values(failure: Error) -> bool:
    return isinstance(failure, DataError | IntegrityError)
