"""A fold worker of the example domain: `python shelf_worker.py URL BOOTSTRAP PREFIX MODE [PORT [MEMBER AWAY_S]]`.

`slow` pauses inside each batch, so that a kill finds it between write and commit; `halt` makes poison stop it. With a
port it serves its metrics there, and once halted for `SHOWN_S` more. Its connections bear the process's id, so that
`working.tell_who_applies` can tell workers apart.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from prometheus_client import start_http_server
from psycopg_pool import AsyncConnectionPool
from shelf import COUNTING, JsonInsteadOfAvro, fold

from eventfold import Changes, FoldGroup, PublicRecord, Rows
from eventfold.fold import halting
from eventfold.fold.runner import FoldRunner
from eventfold.fold.worker import Member, fold_app, run
from eventfold.publish.brokers import Brokers

PAUSE_S = 0.05
SHOWN_S = 120.0


def slow_fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    changes = fold(rows, events)
    time.sleep(PAUSE_S)
    return changes


def main(url: str, bootstrap: str, prefix: str, mode: str, port: str = "", member: str = "", away_s: str = "0") -> None:
    if port:
        start_http_server(int(port))
        halting.keep_page_for(SHOWN_S)
    projection = replace(COUNTING, fold=slow_fold if mode == "slow" else fold)
    named = {"autocommit": True, "application_name": str(os.getpid())}
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs=named)
    runner = FoldRunner(
        worker="shelf",
        pool=pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("shelves", (projection,), parks=mode != "halt")],
        topic_prefix=prefix,
    )
    named_member = Member(member, float(away_s)) if member else None
    logging.basicConfig(level="WARNING")
    run(fold_app(group=f"{prefix}shelf", brokers=Brokers(bootstrap), runner=runner, pool=pool, member=named_member))


if __name__ == "__main__":
    main(*sys.argv[1:])
