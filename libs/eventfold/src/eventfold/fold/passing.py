"""What failures of a fold mean: some pass by themselves, some lose a place, some are of one record, the rest of all."""

from __future__ import annotations

from psycopg import DataError, Error, IntegrityError, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg_pool import PoolTimeout

from eventfold.errors import FoldHalts, OffsetGap, RecordsMissing, StalePosition, VersionConflict
from eventfold.fold.deadletter import TooManyParked

PASSING = (OperationalError, IdleInTransactionSessionTimeout, PoolTimeout, StalePosition, VersionConflict)
"""Tried again."""
LOST_PLACE = (OffsetGap, RecordsMissing)
"""A topic is not what it was: the place on it is looked for again, from a new start."""
_OF_ALL = (*PASSING, *LOST_PLACE, FoldHalts, TooManyParked, MemoryError)


def of_one_record(failure: Exception) -> bool:
    """Whether some record may be what the fold cannot take, so that the others go on without it. A missing table is
    no record's fault, a value out of a column's range is."""
    return not isinstance(failure, _OF_ALL) and (not isinstance(failure, Error) or _is_about_values(failure))


def _is_about_values(failure: Error) -> bool:
    return isinstance(failure, DataError | IntegrityError)
