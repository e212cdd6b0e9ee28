"""PostgreSQL alone: the same additive upserts and positions from a table that holds the events, without Kafka, decoding
or a client's rows.

`python -m bench.upserting URL EVENTS PARTITIONS MEMBERS` fills the table, and then prints as a consumer does.
"""

from __future__ import annotations

import sys

import psycopg

from bench.stopwatch import Stopwatch
from bench.workload import MOVE, Load, pairs

BATCH_EVENTS = 8000
SEED = 42

SOURCE = "CREATE TABLE bench_source (n bigint PRIMARY KEY, member_id text NOT NULL, content_id text NOT NULL)"
ADD_PAIRS = """INSERT INTO bench_pair AS t (member_id, content_id, views)
SELECT member_id, content_id, count(*) FROM bench_source WHERE n >= %s AND n < %s GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (member_id, content_id) DO UPDATE SET views = t.views + EXCLUDED.views"""
ADD_COUNTERS = """INSERT INTO bench_counter AS t (content_id, views)
SELECT content_id, count(*) FROM bench_source WHERE n >= %s AND n < %s GROUP BY 1 ORDER BY 1
ON CONFLICT (content_id) DO UPDATE SET views = t.views + EXCLUDED.views"""


def fill(conn: psycopg.Connection, load: Load) -> None:
    """Put the events into a table of their own, ready to be read."""
    conn.execute(SOURCE)
    with conn.cursor().copy("COPY bench_source FROM STDIN") as copy:
        for n, (member_id, content_id) in enumerate(pairs(load, SEED)):
            copy.write_row((n, member_id, content_id))
    conn.commit()
    conn.execute("ANALYZE bench_source")
    conn.commit()


def upsert(conn: psycopg.Connection, load: Load, watch: Stopwatch) -> None:
    """Each batch in one transaction. Ends the process after the last."""
    for start in range(0, load.events, BATCH_EVENTS):
        end = min(start + BATCH_EVENTS, load.events)
        watch.begin()
        conn.execute(ADD_PAIRS, [start, end])
        conn.execute(ADD_COUNTERS, [start, end])
        conn.execute(MOVE, ["bench", load.topic, 0, end, end, None])
        conn.commit()
        watch.add(end - start)


if __name__ == "__main__":
    url, events, partitions, members = sys.argv[1:]
    load_ = Load(events=int(events), partitions=int(partitions), members=int(members))
    with psycopg.connect(url) as connection:
        fill(connection, load_)
        upsert(connection, load_, Stopwatch(load_.events))
