"""`rebuild counting` as a process, slow enough to be killed: `python slow_rebuild.py URL BOOTSTRAP PREFIX`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from deployed import command
from shelf import CODEC, COUNTING, TOPIC, JsonInsteadOfAvro, to_public
from shelf_worker import slow_fold

from eventfold import FoldGroup
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold_ops import rebuild, refold
from eventfold_ops.deployment import Deployment

RECORDS_A_FETCH = 20


def main(url: str, bootstrap: str, prefix: str) -> int:
    deployed = Deployment(
        name="library",
        database_url=url,
        brokers=Brokers(bootstrap),
        group=f"{prefix}shelf",
        relay_name="relay",
        codec=CODEC,
        avro=JsonInsteadOfAvro(),
        publisher=Publisher("/library", to_public, JsonInsteadOfAvro(), prefix),
        topics=(TOPIC,),
        groups=(FoldGroup("shelves", (replace(COUNTING, fold=slow_fold),), parks=True),),
        topic_prefix=prefix,
    )
    vars(refold)["fetch_records"] = lambda _: RECORDS_A_FETCH
    return asyncio.run(command(rebuild, deployed, "counting"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
