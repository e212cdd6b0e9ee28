"""The figures as tables for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("aiokafka", "fastavro", "faust-streaming", "grpcio", "psycopg", "protobuf")


@dataclass(frozen=True)
class Ratio:
    """A comparison, its measured ratio, and the minimum target."""

    what: str
    found: float
    wanted: float

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.found >= self.wanted


@dataclass(frozen=True)
class Section:
    """One table of figures and the ratios computed from it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    ratios: Sequence[Ratio]


def table(sections: Sequence[Section]) -> str:
    """Markdown tables of all figures."""
    lines: list[str] = []
    for section in sections:
        lines += [f"## {section.title}", "", *_markdown(section.head, section.rows), ""]
    verdicts = [
        (ratio.what, ratio.found, ratio.wanted, "met" if ratio.met else "missed")
        for section in sections
        for ratio in section.ratios
    ]
    lines += ["## Ratios", "", *_markdown(("what", "found", "wanted", ""), verdicts)]
    return "\n".join(lines)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    align = "|".join("---" if n == 0 else "---:" for n, _ in enumerate(head))
    return [_line(head), f"|{align}|", *(_line([_shown(cell) for cell in row]) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(cell: Any) -> str:
    if not isinstance(cell, float):
        return str(cell)
    if math.isnan(cell):
        return ""
    return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.2f}" if cell < 10 else f"{cell:.1f}"


HOW = """
How: every contestant folds the same records (Avro, single-object; views of Zipf-distributed content in time order, 4
partitions unless said) into the same two tables with the same statements; fsync is on. eventfold is the real Faust
worker on the batch transport; the bare loop is aiokafka `getmany` and psycopg, one transaction for each fetch; Quix
Streams writes through its batching sink and Bytewax through a sink's `write_batch`, one transaction for each batch of
up to 8,000 records, and stock Faust through `take_events`, 1,000 records or what comes in 0.1 s; per event means one
transaction for each event, as their documentation shows it. Time runs from the first batch in hand to the last commit.
Here, for appends and for the relay contestants run in turn, three times, and the median counts; what takes one event at
a time runs once.

Append: each writer decides and appends to a new stream, in one process, beside a transaction that inserts the same row
and a lone autocommit INSERT, the least that can be done. The hot stream: all writers on one stream, beside a
transaction that takes the same lock, asks for the newest version and inserts. pyeventsourcing writes smaller rows (its
own table) from as many threads.

Relay: from rows without a sequence to the moved cursor, once it leads, beside aiokafka sending the same, already
encoded records, once connected: record by record with `send`, and in batches that are built as the relay builds them.

Command to visible: an open loop records views and reads the content with the consistency token until the answer is
fresh; time counts from the moment when the command was due. The generator shares the machine with the stack. The bare
chain answers the same calls with nothing else running: one INSERT, `send` once it is committed, one consumer that
counts, reads that ask every 5 ms; no members, streams, checks, relay or other services, and a crash loses what is sent.

Training: synthetic pairs (about 20 a member, a few contents taken by many) in reco's tables, exported, and trained on
by each engine from the export to the published factors. Seconds are those of whole processes, with the start of Python
and Spark; memory is the sum of what a process and its children held, looked at twice a second.
"""


def write_report(path: Path, sections: Sequence[Section]) -> None:
    """Replace the report, but keep the hand-written text below the line `## Reading the figures`."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release().split('-')[0]}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = f"# Benchmarks\n\nWritten by `make bench` on {when}: {machine}; PostgreSQL 18, Kafka 4.4; {packages}.\n"
    path.write_text(f"{head}{HOW}\n{table(sections)}\n{_reading(path)}", encoding="utf-8")


def _reading(path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    mark = "\n## Reading the figures"
    return text[text.index(mark) :] if mark in text else ""
