"""The figures as a table for people and as docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FOLD_TARGET = 0.8
APPEND_TARGET = 0.8
PACKAGES = ("aiokafka", "fastavro", "faust-streaming", "grpcio", "psycopg", "protobuf")


@dataclass(frozen=True)
class Results:
    """Events a second by peer, commits a second by writers and way, milliseconds by road."""

    events: int
    folds: dict[str, float]
    appends: dict[int, dict[str, float]]
    latencies: dict[str, dict[str, float]]

    def ratios(self) -> list[tuple[str, float, float]]:
        """What is compared, the ratio found and the least wanted."""
        fold = self.folds["eventfold"] / self.folds["bare"]
        return [
            ("fold: eventfold / bare loop", fold, FOLD_TARGET),
            *(
                (f"append, {writers} writers: eventfold / bare {way}", found["eventfold"] / found[way], APPEND_TARGET)
                for writers, found in self.appends.items()
                for way in ("transaction", "insert")
            ),
        ]

    def all_met(self) -> bool:
        """Whether every ratio reaches its target."""
        return all(found >= wanted for _, found, wanted in self.ratios())

    def table(self) -> str:
        """Markdown tables of all figures."""
        lines = [f"## Complete fold ({self.events:,} events)", "", "| peer | events/s |", "|---|---:|"]
        lines += [f"| {peer} | {rate:,.0f} |" for peer, rate in self.folds.items()]
        lines += ["", "## Append (commits/s)", "", "| writers | transaction | lone INSERT | eventfold |"]
        lines.append("|---:|---:|---:|---:|")
        lines += [
            f"| {n} | {one['transaction']:,.0f} | {one['insert']:,.0f} | {one['eventfold']:,.0f} |"
            for n, one in self.appends.items()
        ]
        lines += ["", "## Command to visible", "", "| road | p50 ms | p99 ms |", "|---|---:|---:|"]
        lines += [f"| {road} | {one['p50_ms']:.1f} | {one['p99_ms']:.1f} |" for road, one in self.latencies.items()]
        lines += ["", "## Ratios", "", "| what | found | wanted | |", "|---|---:|---:|---|"]
        lines += [
            f"| {what} | {found:.2f} | {wanted:.2f} | {'met' if found >= wanted else 'missed'} |"
            for what, found, wanted in self.ratios()
        ]
        return "\n".join(lines)


HOW = """
How: every peer folds the same records (Avro, single-object; views of Zipf-distributed content in time order, 4
partitions) into the same two tables with the same statements; fsync is on. eventfold is the real Faust worker on the
batch transport; the bare loop is aiokafka `getmany` and psycopg; both commit once per fetch. Stock Faust takes one
event at a time, as its documentation shows it. Time runs from the first batch in hand to the last commit; bare and
eventfold run three times in turn, the median counts. Appends: each writer decides and appends to a new stream, in one
process, against a transaction that inserts the same row and against a lone INSERT, which is the least that can be
done. Command to visible: one client records a view and reads the content with the consistency token until it is
fresh.

What limits the fold: the same runner fed by a plain consumer keeps pace with the bare loop (21,000 beside 22,000
events/s); under Faust, records are parsed in a consumer thread that shares the interpreter lock with decoding and
folding, and about an eighth of the time passes between two fetches. Figures of single runs differ by a fifth on a
shared machine.
"""


def write_report(path: Path, results: Results) -> None:
    """Replace the report."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release().split('-')[0]}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = f"# Benchmarks\n\nWritten by `make bench` on {when}: {machine}; PostgreSQL 18, Kafka 4.4; {packages}.\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}{HOW}\n{results.table()}\n", encoding="utf-8")
