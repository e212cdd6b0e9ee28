"""`python -m lyceum_consumer --bootstrap HOST:PORT --schemas schemas/avro --store counts.db [--prefix P] [--idle-s N]`.

Prints the counts as one line of JSON when it ends: with `--idle-s` once nothing has come for so long, else at Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from lyceum_consumer.errors import MustStop
from lyceum_consumer.following import Follower
from lyceum_consumer.reading import Reader
from lyceum_consumer.schemas import Schemas
from lyceum_consumer.store import Store


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lyceum_consumer", description=__doc__)
    parser.add_argument("--bootstrap", required=True, help="host:port of a broker")
    parser.add_argument("--schemas", type=Path, required=True, help="the folder schemas/avro")
    parser.add_argument(
        "--store", type=Path, required=True, help="file for counts and positions; made if it is not there"
    )
    parser.add_argument("--prefix", default="", help="what stands before every topic's name")
    parser.add_argument("--topics", nargs="*", help="without prefix; default: of all schemas")
    parser.add_argument("--idle-s", type=float, help="stop when nothing has come for so long")
    return parser.parse_args()


async def _read(given: argparse.Namespace, topics: Sequence[str], store: Store, follower: Follower) -> None:
    await Reader(given.bootstrap, topics, store, follower).run(given.idle_s)


def main() -> int:
    """Run it; status 1 when somebody has to look."""
    given = _arguments()
    schemas, store = Schemas(given.schemas), Store(given.store)
    follower = Follower(store, schemas)
    topics = [given.prefix + one for one in given.topics or schemas.topics()]
    with contextlib.closing(store):
        try:
            asyncio.run(_read(given, topics, store, follower))
        except KeyboardInterrupt:
            pass
        except (MustStop, KafkaError) as stop:
            print(f"lyceum_consumer: {stop}", file=sys.stderr)
            return 1
        seen = follower.seen
        told = {"counts": store.counts(), "charged": store.charged(), "applied": seen.applied}
        print(json.dumps({**told, "duplicates": seen.duplicates, "crossed": seen.crossed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
