"""Training from synthetic tables: what exporting and each engine take, in time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from bench.report import Section
from bench.running import ROOT, fresh_schema
from lyceum_local.stack import LocalStack
from reco.bootstrap import DEFINITION
from servicekit.migrate import migrate

PER_MEMBER: Final = 20
ENVIRONMENT: Final = ROOT / "deploy" / "local" / "scripts" / "training.sh"
LOOK_EVERY_S: Final = 0.5
TIMEOUT_S: Final = 3_600
MIB: Final = 1 << 20
ENGINES: Final = {
    "LightFM, 10 rounds, 2 threads": ("--engine", "lightfm", "--rounds", "10", "--threads", "2"),
    "Spark, 10 rounds, local[2]": ("--engine", "spark", "--rounds", "10", "--spark-master", "local[2]"),
}
# Popular contents are taken by many (Zipf-like); each member takes about 20.
FILL: Final = """
SELECT setseed(0.5);
INSERT INTO content_item (content_id, creator_id, kind, title, tags, category, published_at, access)
SELECT 'c' || n, 'creator' || n % 500, 'text', '', jsonb_build_array('tag' || n % 50, 'tag' || (n * 7) % 50),
    'category' || n % 12, now(), 'free' FROM generate_series(0, {items} - 1) AS n;
INSERT INTO interaction (member_id, content_id, weight, first_at, last_at)
SELECT 'm' || lpad(m::text, 7, '0'), 'c' || taken.c, 10, now(), now() FROM generate_series(1, {members}) AS m,
LATERAL (
    SELECT DISTINCT floor(power(random(), 3) * {items})::int AS c FROM generate_series(1, {each} + m % 2)
) AS taken;
ANALYZE
"""


def training(stack: LocalStack, pairs: int, items: int, engines: tuple[str, ...] = tuple(ENGINES)) -> Section:
    """Seconds of whole processes, and the most memory that they and their children held."""
    url, python = _filled(stack, pairs, items), _python()
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export"
        found, seconds, peak_mib = _ran(url, [python, "-m", "reco", "export", "--to", str(export)])
        size = sum(one.stat().st_size for one in export.iterdir())
        rows: list[tuple[Any, ...]] = [("export", found["pairs"] / seconds, seconds, peak_mib, size / MIB)]
        for name in engines:
            command = [python, "-m", "reco", "train", *ENGINES[name], "--from", str(export)]
            trained, seconds, peak_mib = _ran(url, command)
            rows.append((name, found["pairs"] / seconds, seconds, peak_mib, trained["bytes"] / MIB))
    what = f"{found['pairs']:,} pairs of {found['members']:,} members and {found['items']:,} contents"
    return Section(f"Training ({what})", ("step", "pairs/s", "seconds", "most MiB held", "result, MiB"), rows, [])


def _filled(stack: LocalStack, pairs: int, items: int) -> str:
    url = fresh_schema(stack)
    migrate(url, DEFINITION.migrations)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(FILL.format(items=items, members=pairs // PER_MEMBER, each=PER_MEMBER).encode())
    return url


def _python() -> str:
    """The interpreter of the environment for training, which the first call makes."""
    done = subprocess.run([ENVIRONMENT], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _ran(url: str, command: list[str]) -> tuple[dict[str, Any], float, float]:
    """What a command says, its seconds, and the most MiB that it and its children held at one moment."""
    began, most = time.monotonic(), 0
    environment = {**os.environ, "DATABASE_URL": url}
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, env=environment, text=True) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None and time.monotonic() - began < TIMEOUT_S:
            most = max(most, _held(root))
            time.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - began
        if process.poll() is None:
            process.terminate()
        out = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    print(f"{' '.join(command[3:5])}: {seconds:.0f} s", file=sys.stderr, flush=True)
    found: dict[str, Any] = json.loads(out)
    return found, seconds, most / MIB


def _held(root: psutil.Process) -> int:
    held = 0
    for one in (root, *root.children(recursive=True)):
        try:
            held += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return held
