"""Reads streams into states: from the remembered state of each and the events since then, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eventfold.measured.arrays import literal
from eventfold.postgres.sessions import Connection
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Address, Recorded
from eventfold.write.commands import hot_streams
from eventfold.write.desk import grown, unwritten
from eventfold.write.recordable import may_exist
from eventfold.write.rows import LOAD, LOAD_IN_TURN, STREAM, VERSION, StoredRow, recorded
from eventfold.write.snapshots import LOAD as LOAD_SNAPSHOTS
from eventfold.write.snapshots import Known, StateCache, restored
from eventfold.write.standstill import waiting_for

EVENTS_AT_ONCE = 500
"""Number of events of each stream in memory while it is read into a state."""
ALL_EVENTS = 2**31 - 1


class Loader:
    """Reads over connections of its callers. Safe for concurrent use."""

    def __init__(self, codec: EventCodec) -> None:
        self._codec = codec
        self.remembered = StateCache()

    async def load(self, conn: Connection, streams: Iterable[str]) -> dict[str, list[Recorded]]:
        """The events of each stream in version order; a stream without any maps to an empty list. All are held in
        memory, so use it only for streams that are known to be short; for others use their `state`."""
        start = dict.fromkeys(streams, 0)
        rows = await self.rows_after(conn, start, start, at_most=ALL_EVENTS)
        return {stream: [recorded(self._codec, row) for row in of_one] for stream, of_one in rows.items()}

    async def known(self, conn: Connection, addressed: Mapping[str, Address], *, in_turn: bool) -> dict[str, Known]:
        """The present state of each stream: its remembered state and the events since. Writers of hot streams wait for
        their turn, readers do not."""
        if not addressed:
            return {}
        remembered = {stream: one for stream in addressed if (one := self.remembered.get(stream))}
        known = {stream: unwritten(one) for stream, one in addressed.items()} | remembered
        kept = [
            stream
            for stream, one in addressed.items()
            if one.stream_type.snapshots and stream not in remembered and may_exist(stream)
        ]
        if kept:
            known |= restored(await (await conn.execute(LOAD_SNAPSHOTS, [kept])).fetchall(), addressed)
        # The last known event of a remembered stream is read too, to check that it is still there.
        seen = {stream: one.version for stream, one in known.items()}
        after = {stream: version - (stream in remembered) for stream, version in seen.items()}
        rows = await self.rows_after(
            conn, after, seen, hot_streams(addressed.values()) if in_turn else (), at_most=EVENTS_AT_ONCE
        )
        gone = {stream: addressed[stream] for stream, one in remembered.items() if not one.still_there(rows[stream])}
        for stream in gone:
            self.remembered.forget(stream)
        found = {
            stream: grown(known[stream], addressed[stream], self._since(rows[stream], seen[stream]))
            for stream in addressed
            if stream not in gone
        }
        longer = [stream for stream in found if len(rows[stream]) == EVENTS_AT_ONCE]
        found |= await self._read_on(conn, {stream: found[stream] for stream in longer}, addressed)
        return found | await self.known(conn, gone, in_turn=in_turn)

    async def _read_on(
        self, conn: Connection, found: Mapping[str, Known], addressed: Mapping[str, Address]
    ) -> dict[str, Known]:
        """The states of long streams after the remaining events, with only `EVENTS_AT_ONCE` in memory at a time."""
        read: dict[str, Known] = {}
        for stream, known in found.items():
            while True:
                start = {stream: known.version}
                rows = (await self.rows_after(conn, start, start, at_most=EVENTS_AT_ONCE))[stream]
                read[stream] = known = grown(known, addressed[stream], self._since(rows, known.version))
                if len(rows) < EVENTS_AT_ONCE:
                    break
        return read

    def _since(self, rows: Sequence[StoredRow], version: int) -> list[Recorded]:
        return [recorded(self._codec, row) for row in rows if row[VERSION] > version]

    async def rows_after(
        self,
        conn: Connection,
        after: Mapping[str, int],
        seen: Mapping[str, int],
        locked: Sequence[str] = (),
        *,
        at_most: int,
    ) -> dict[str, list[StoredRow]]:
        """The rows of each stream above version `after`, at most `at_most` of each. Rows up to version `seen` come
        without their data. Waits first for the locks of the hot streams `locked`; these last until the end of the
        transaction."""
        found: dict[str, list[StoredRow]] = {stream: [] for stream in after}
        after = {stream: version for stream, version in after.items() if may_exist(stream)}
        streams, known = literal("text", list(after)), literal("int", list(after.values()))
        if locked:
            with waiting_for(locked):
                cursor = await conn.execute(LOAD_IN_TURN, [literal("text", locked), streams, known, at_most])
        else:
            bounds = literal("int", [seen[stream] for stream in after])
            cursor = await conn.execute(LOAD, [streams, known, bounds, at_most])
        for row in await cursor.fetchall():
            found[row[STREAM]].append(row)
        return found
