"""`python -m reco export --to FOLDER` and `python -m reco train --engine lightfm|spark`: factors trained apart.

They run in an environment of their own (deploy/local/scripts/training.sh, or the image lyceum/reco-train), and use
DATABASE_URL only where they read the tables or publish.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from eventfold.postgres.sessions import connect
from reco.training import als, warp
from reco.training.factors import FactorsRefused, Trained, to_bytes
from reco.training.parquet import Export, ExportWriter
from reco.training.publication import Published, described, publish
from reco.training.refusals import TrainingRefused
from reco.training.tables import Counts, read

DATABASE_URL: Final = "DATABASE_URL"
MAX_DIMENSIONS, MAX_ROUNDS, MAX_THREADS, MAX_MINUTES = 256, 1_000, 256, 1_440
MEMORY: Final = re.compile(r"[1-9][0-9]{0,5}[mg]")
ROUNDS: Final = {warp.ENGINE: 20, als.ENGINE: 10}


def export(argv: Sequence[str]) -> int:
    """Write the facts as Parquet; 0, or 1 with one sentence on stderr."""
    chosen = _export_parser().parse_args(argv)
    return _ended(lambda: _show_export(_exported(chosen.to), chosen.to, chosen.json))


def train(argv: Sequence[str]) -> int:
    """Train and publish; 0, or 1 with one sentence on stderr."""
    chosen = _train_parser().parse_args(argv)
    return _ended(lambda: _show_trained(_trained(chosen), chosen))


def _ended(work: Callable[[], None]) -> int:
    try:
        work()
    except (TrainingRefused, FactorsRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reco export", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the folder to make; must not exist, or be empty")
    parser.add_argument("--json", action="store_true", help="JSON instead of a sentence")
    return parser


def _train_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reco train", description=__doc__)
    parser.add_argument("--engine", choices=list(ROUNDS), required=True, help="lightfm: one machine; spark: many")
    parser.add_argument("--from", dest="source", type=Path, help="an export; without it one is made from the tables")
    parser.add_argument("--to", type=Path, help="a file for the factors, instead of publishing them")
    parser.add_argument("--dimensions", type=_up_to(MAX_DIMENSIONS), default=32, help="of a vector, without the bias")
    parser.add_argument("--rounds", type=_up_to(MAX_ROUNDS), help="passes over the pairs; lightfm 20, spark 10")
    parser.add_argument("--threads", type=_up_to(MAX_THREADS), default=os.cpu_count() or 1, help="of lightfm")
    parser.add_argument("--spark-master", default="local[2]", help="where Spark runs")
    parser.add_argument("--spark-memory", type=_memory, default="4g", help="of Spark's driver, as 4g")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins; 1 thread repeats it exactly")
    parser.add_argument("--max-minutes", type=_up_to(MAX_MINUTES), default=240, help="of training, before it ends")
    parser.add_argument("--json", action="store_true", help="JSON instead of a sentence")
    return parser


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        found = int(text)
        if not 1 <= found <= most:
            raise argparse.ArgumentTypeError(f"must be 1 to {most}")
        return found

    return number


def _memory(text: str) -> str:
    if not MEMORY.fullmatch(text):
        raise argparse.ArgumentTypeError("must be as 4g or 512m")
    return text


def _exported(folder: Path) -> Counts:
    url = _database_url()
    with ExportWriter(folder) as writer:
        return asyncio.run(read(url, writer))


def _trained(chosen: argparse.Namespace) -> Published:
    url = "" if chosen.to else _database_url()
    if chosen.source:
        trained, took_ms = _by_engine(Export(chosen.source), chosen)
    else:
        with tempfile.TemporaryDirectory(prefix="reco-export-") as folder:
            _exported(Path(folder) / "export")
            trained, took_ms = _by_engine(Export(Path(folder) / "export"), chosen)
    return _kept(chosen.to, trained, took_ms) if chosen.to else asyncio.run(_published(url, trained, took_ms))


def _by_engine(export: Export, chosen: argparse.Namespace) -> tuple[Trained, int]:
    began = time.monotonic()
    rounds, most_s = chosen.rounds or ROUNDS[chosen.engine], 60.0 * chosen.max_minutes
    if chosen.engine == warp.ENGINE:
        found = warp.trained(
            export.facts(), warp.Choices(chosen.dimensions, rounds, chosen.threads, chosen.seed, most_s)
        )
    else:
        where = chosen.spark_master, chosen.spark_memory
        found = als.trained(export, als.Choices(chosen.dimensions, rounds, chosen.seed, most_s, *where))
    return found, round(1e3 * (time.monotonic() - began))


def _kept(path: Path, trained: Trained, took_ms: int) -> Published:
    body = to_bytes(trained)
    try:
        path.write_bytes(body)
    except OSError as error:
        raise TrainingRefused(f"{path} cannot be written: {error.strerror}") from error
    return described(trained, body, took_ms)


async def _published(url: str, trained: Trained, took_ms: int) -> Published:
    try:
        async with await connect(url) as conn:
            return await publish(conn, trained, took_ms)
    except psycopg.Error as error:
        raise TrainingRefused(f"the factors cannot be published: {str(error).strip().partition(chr(10))[0]}") from error


def _database_url() -> str:
    url = os.environ.get(DATABASE_URL, "")
    if not url:
        raise TrainingRefused(f"set {DATABASE_URL} to the database of reco, of which the tables are read and written")
    return url


def _show_export(counts: Counts, folder: Path, as_json: bool) -> None:
    said = f"{counts.pairs:,} pairs of {counts.members:,} members and {counts.items:,} contents in {folder}"
    _show({"folder": str(folder), **vars(counts)}, said, as_json)


def _show_trained(found: Published, chosen: argparse.Namespace) -> None:
    where = f"in {chosen.to}" if chosen.to else "published"
    vectors = f"{found.items:,} contents, {found.features:,} features and {found.tastes:,} tastes"
    said = f"{found.version} ({found.engine}) {where}: {vectors} x {found.dimensions}, {found.bytes:,} bytes"
    _show(found._asdict(), f"{said}, trained in {found.took_ms / 1e3:,.1f} s", chosen.json)


def _show(found: dict[str, Any], said: str, as_json: bool) -> None:
    sys.stdout.write((json.dumps(found) if as_json else said) + "\n")
