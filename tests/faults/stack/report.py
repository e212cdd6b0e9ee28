"""The results of the whole product's trials as a table."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

HEADER = (
    "| kind | trials | broken | commands acknowledged | `make up` p50 s | max s | first command p50 s | max s "
    "| all agrees max s | 3/N |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


def line(result: dict[str, Any]) -> str:
    """One trial in a line."""
    verdict = "; ".join(result["broken"]) or "held"
    return (
        f"{result['kind']} {result['trial']} ({result['victim']}): up in {result['up_s']} s, commands again after "
        f"{result['recovery_s']} s, all agrees after {result['agreed_s']} s, {result['acts']} commands, "
        f"took {result['took_s']} s, {verdict}"
    )


def table(results: Sequence[dict[str, Any]]) -> str:
    """One row for each kind that has results, in the order in which they were run."""
    kinds = list(dict.fromkeys(result["kind"] for result in results))
    return HEADER + "".join(_row(kind, [one for one in results if one["kind"] == kind]) for kind in kinds)


def _row(kind: str, trials: Sequence[dict[str, Any]]) -> str:
    cells: list[object] = [kind, len(trials), sum(bool(one["broken"]) for one in trials)]
    cells.append(sum(one["acts"] for one in trials))
    for name in ("up_s", "recovery_s"):
        times = [one[name] for one in trials if one[name] is not None]
        cells += [f"{median(times):.1f}", f"{max(times):.1f}"] if times else ["-", "-"]
    agreed = [one["agreed_s"] for one in trials if one["agreed_s"] is not None]
    cells += [f"{max(agreed):.1f}" if agreed else "-", f"{min(1.0, 3 / len(trials)):.0%}"]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def notes(results: Sequence[dict[str, Any]]) -> str:
    """The broken promises, trial by trial."""
    return "".join(f"- {one['kind']} {one['trial']}: {'; '.join(one['broken'])}\n" for one in results if one["broken"])


def write(path: Path, results: Sequence[dict[str, Any]], command: str) -> None:
    """The document, generated as a whole."""
    seeds = sorted({one["seed"] for one in results})
    text = f"""# Faults of the whole product

Written by `{command}`, {len(results)} trials, seed {", ".join(map(str, seeds))}. Machine: {os.cpu_count()} cores,
Python {platform.python_version()}, {platform.system()} {platform.release()}; PostgreSQL 18, Kafka 4.4.

How: the whole local stack runs, PostgreSQL's and Kafka's data each on a disk of its own (ext4 in a file). Members
register, publish, look and buy through the gateway; what was asked for and what was acknowledged with 200 is written
down by the load itself, and what was not acknowledged is repeated until it is. Each trial inflicts one fault, runs
`make up` (and where a store went back, `make ops … recover` of that service), lets the load go on, brings it to rest,
and holds everything to the load's record: each acknowledged command once, views equal to a recount, each paid order
one entitlement in billing and in the catalog and none without payment, the ledger equal to the paid orders with a
trial balance of zero, every topic equal to its store (each event once by `ce_id`, in order, duplicates dropped by
`ce_sequence`), and six doctors that find nothing broken.

*power-loss*: the file system is shut down without a flush (EXT4_IOC_SHUTDOWN), everything that used it is killed, and
it is mounted again; in half of the trials workers stood still before. With both disks everything is killed at once.
*cut-segment*: the newest segment of a partition is cut at a random byte while the broker is down. *emptied-broker*,
*deleted-topic*: what the name says. *restored-…*: one service's schema is dumped, 10 to 60 commands follow, and the
dump is restored; *restored-files*: all of PostgreSQL's files; *promoted-laggard*: a replica that was cut off takes the
place of the primary, which dies, while the services run. What came between must be gone there, and only there.

*`make up`*, *first command*, *all agrees*: from the end of the fault to the end of the repair, to the first command
sent after the fault that was acknowledged, and to the moment at which nothing differed any more (the load goes on
meanwhile, so that includes its rest). *3/N*: with no failure in N trials, the failure rate is below it with 95 %
confidence.

{table(results)}
{notes(results)}"""
    path.write_text(text.rstrip() + "\n")
