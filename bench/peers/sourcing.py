"""pyeventsourcing's PostgreSQL recorder: `python -m bench.peers.sourcing URL SCHEMA WRITERS SECONDS`."""

from __future__ import annotations

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict


def main(url: str, schema: str, writers: int, seconds: float) -> None:
    """Each writer inserts the first event of a new aggregate, over and over."""
    place = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        str(place["dbname"]),
        str(place["host"]),
        str(place["port"]),
        str(place["user"]),
        str(place["password"]),
        pool_size=writers,
        schema=schema,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    with ThreadPoolExecutor(writers) as pool:
        until = time.perf_counter() + seconds
        done = sum(pool.map(lambda _: _write(recorder, until), range(writers)))
    print(json.dumps({"commits_per_s": done / seconds}), flush=True)
    datastore.close()


def _write(recorder: PostgresApplicationRecorder, until: float) -> int:
    done = 0
    while time.perf_counter() < until:
        aggregate = uuid.uuid4()
        state = f'{{"member_id":"{aggregate}","content_id":"content","watched_ms":1000}}'.encode()
        recorder.insert_events([StoredEvent(aggregate, 1, "viewed", state)])
        done += 1
    return done


if __name__ == "__main__":
    url_, schema_, writers_, seconds_ = sys.argv[1:]
    main(url_, schema_, int(writers_), float(seconds_))
