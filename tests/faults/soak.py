"""`python -m tests.faults.soak`: half the top rate for a long time; memory stays flat and lag stays bounded.

The top rate is measured in a first minute, unless a rate is given. Every 5 s a sample of each process and of the lag is
appended to .cache/faults/soak.jsonl. Exit status 1 when a bound is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

from lyceum_local.memory import BYTES_PER_MIB, pss_of_tree
from tests.faults.installation import FOLDS, RELAYS, Installation, installed

SAMPLES, DOCUMENT = Path(".cache/faults/soak.jsonl"), Path("docs/soak.md")
SAMPLE_S, TOP_RATE_S, WARM_UP_S, UNLIMITED_PER_S = 5.0, 60.0, 20.0, 100_000.0
SHELF_LIFE_S = 1.0
MAX_SLOPE_MIB_PER_MIN, MAX_GROWTH, MAX_LAG_S = 1.0, 0.10, 2.0
_COUNTS = """SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM unsequenced),
                    (SELECT coalesce(sum(books), 0)::bigint FROM shelf_count)"""
WATCHED = ("server", *RELAYS, *FOLDS)


def main() -> int:
    """Measure, soak, judge, write."""
    options = _options()
    rate = options.rate or _top_rate(min(TOP_RATE_S, options.minutes * 30)) / 2
    print(f"soaking at {rate:.0f} commands/s for {options.minutes:g} minutes", flush=True)
    SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder), rate) as installation:
        samples = _soak(installation, options.minutes * 60)
    rows, held = judged(samples, rate)
    text = _table(rows)
    print(text)
    DOCUMENT.write_text(_document(text, rate, options.minutes))
    return 0 if held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="commands a second; default: half of the measured top rate")
    return parser.parse_args()


def _top_rate(for_s: float) -> float:
    """Commands per second that reach the projection if the client sends the next command after each answer."""
    print(f"measuring the top rate for {for_s:.0f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder), UNLIMITED_PER_S) as installation:
        _load_for(installation, WARM_UP_S / 2)
        before = _applied(installation)
        _load_for(installation, for_s)
        return (_applied(installation) - before) / for_s


def _load_for(installation: Installation, for_s: float) -> None:
    """Run the load with new shelves every `SHELF_LIFE_S`, so that no stream grows without bound."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        installation.keeper.tell("client", f"load {time.monotonic_ns()}")
        time.sleep(min(SHELF_LIFE_S, max(0.0, ends - time.monotonic())))


def _applied(installation: Installation) -> int:
    found = installation.rows("SELECT coalesce(sum(books), 0)::bigint FROM shelf_count")
    return int(found[0][0]) if found else 0


def _soak(installation: Installation, for_s: float) -> list[dict[str, Any]]:
    _load_for(installation, WARM_UP_S)
    samples: list[dict[str, Any]] = []
    started = time.monotonic()
    with SAMPLES.open("w") as file:
        while (elapsed := time.monotonic() - started) < for_s:
            _load_for(installation, SAMPLE_S)
            samples.append({"elapsed_s": round(elapsed, 1), **_sample(installation)})
            file.write(json.dumps(samples[-1]) + "\n")
            file.flush()
            print(f"{elapsed / 60:.1f} of {for_s / 60:g} min, lag {samples[-1]['lag_events']} events", flush=True)
    return samples


def _sample(installation: Installation) -> dict[str, Any]:
    pids = installation.keeper.pids()
    found = installation.rows(_COUNTS)
    stored, unsequenced, applied = found[0] if found else (0, 0, 0)
    memory = {name: round(pss_of_tree(pids[name]) / BYTES_PER_MIB, 2) for name in WATCHED}
    return {
        "pss_mib": memory,
        "stored": stored,
        "backlog_events": unsequenced,
        "lag_events": stored - applied,
        "pids": pids,
    }


def judged(samples: Sequence[dict[str, Any]], rate: float) -> tuple[list[tuple[str, ...]], bool]:
    """Rows of the table, and whether every bound holds over the last two thirds of the samples."""
    late = list(samples[len(samples) // 3 :])
    minutes = [sample["elapsed_s"] / 60 for sample in late]
    rows: list[tuple[str, ...]] = []
    held = len(late) >= 2
    for name in WATCHED:
        sizes = [sample["pss_mib"][name] for sample in late]
        slope = linear_regression(minutes, sizes).slope if len(late) >= 2 else 0.0
        growth = sizes[-1] / sizes[0] - 1
        flat = slope < MAX_SLOPE_MIB_PER_MIN and growth < MAX_GROWTH
        rows.append((name, f"{sizes[0]:.1f}", f"{sizes[-1]:.1f}", f"{slope:+.2f}", "flat" if flat else "GROWS"))
        held &= flat
    lag_s = max(sample["lag_events"] for sample in late) / rate
    rows.append(("lag s", "", f"{lag_s:.2f}", "", "bounded" if lag_s < MAX_LAG_S else "GROWS"))
    restarts = sum(len({sample["pids"][name] for sample in samples}) - 1 for name in WATCHED)
    rows.append(("restarts", "", str(restarts), "", "none" if restarts == 0 else "SOME"))
    return rows, bool(held and lag_s < MAX_LAG_S and restarts == 0)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head = "| process | first MiB | last MiB | MiB/min | verdict |\n|---|---:|---:|---:|---|\n"
    return head + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _document(table: str, rate: float, minutes: float) -> str:
    return f"""# Soak

Written by `make soak MINUTES={minutes:g}`: {rate:.0f} commands/s through append, relay and fold. Machine:
{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.release()}.

Proportional set sizes; first, last and slope are of the last two thirds. Bounds: slope below {MAX_SLOPE_MIB_PER_MIN:g}
MiB/min, growth below {MAX_GROWTH:.0%}, lag below {MAX_LAG_S:g} s of load, no restart.

{table}"""


if __name__ == "__main__":
    sys.exit(main())
