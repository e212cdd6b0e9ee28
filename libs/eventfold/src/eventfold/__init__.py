"""Event sourcing on PostgreSQL and Kafka, with Faust as its stream engine. See the README beside this package.

A service is written with the names that this module exports. Each subpackage uses only the ones named before it:
`vocabulary` (commands, events, deciders) and `postgres` (sessions, locks, tables), `write` (the store), `publish` (the
relay and its topics), `fold` (projections, processes and their worker). Above them are `reading` (a reader sees its own
writes), `timers` (due dates, calls to providers) and `sealing` (personal data under keys). `testing` ships with the
package.
"""

from eventfold.fold.declared import (
    Change,
    Rule,
    adds,
    becomes,
    latest,
    least,
    most,
    on,
    projection,
    puts,
    sets,
)
from eventfold.fold.readmodel import Changes, Draft, Fold, FoldGroup, Handler, Process, Projection, PublicRecord, Rows
from eventfold.fold.tables import Key, ReadTable
from eventfold.fold.values import always, field, missing, where
from eventfold.postgres.sessions import Connection, Pool
from eventfold.sealing.keys import DataKey, Sealed, SubjectKeys
from eventfold.vocabulary.codec import EventCodec, Stored, Upcaster
from eventfold.vocabulary.decider import (
    ANY_VERSION,
    NO_STREAM,
    NOTHING_DUE,
    Address,
    Ask,
    Context,
    Decider,
    DueDate,
    Item,
    Recorded,
    SnapshotPolicy,
    StreamType,
)
from eventfold.vocabulary.due import Due, DueHandler, Pace
from eventfold.vocabulary.public import Data, PublicEvent, PublicType
from eventfold.write.commands import Handled
from eventfold.write.desk import Outcome
from eventfold.write.idempotency import Idempotency
from eventfold.write.store import EventStore

__all__ = [
    "ANY_VERSION",
    "NOTHING_DUE",
    "NO_STREAM",
    "Address",
    "Ask",
    "Change",
    "Changes",
    "Connection",
    "Context",
    "Data",
    "DataKey",
    "Decider",
    "Draft",
    "Due",
    "DueDate",
    "DueHandler",
    "EventCodec",
    "EventStore",
    "Fold",
    "FoldGroup",
    "Handled",
    "Handler",
    "Idempotency",
    "Item",
    "Key",
    "Outcome",
    "Pace",
    "Pool",
    "Process",
    "Projection",
    "PublicEvent",
    "PublicRecord",
    "PublicType",
    "ReadTable",
    "Recorded",
    "Rows",
    "Rule",
    "Sealed",
    "SnapshotPolicy",
    "Stored",
    "StreamType",
    "SubjectKeys",
    "Upcaster",
    "adds",
    "always",
    "becomes",
    "field",
    "latest",
    "least",
    "missing",
    "most",
    "on",
    "projection",
    "puts",
    "sets",
    "where",
]
