"""The figures as tables for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("aiokafka", "fastavro", "faust-streaming", "grpcio", "psycopg", "protobuf")


@dataclass(frozen=True)
class Ratio:
    """A comparison, its measured ratio, and the minimum target, None where the figure is only told."""

    what: str
    found: float
    wanted: float | None = None

    @property
    def met(self) -> bool:
        """Whether the target is reached, if there is one."""
        return self.wanted is None or self.found >= self.wanted

    @property
    def verdict(self) -> str:
        """Met or missed, or nothing without a target."""
        return "" if self.wanted is None else "met" if self.met else "missed"


@dataclass(frozen=True)
class Section:
    """One table of figures, the ratios computed from it, and what must be known to read it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    ratios: Sequence[Ratio]
    notes: Sequence[str] = ()


def table(sections: Sequence[Section]) -> str:
    """Markdown tables of all figures."""
    lines: list[str] = []
    for section in sections:
        lines += [f"## {section.title}", "", *_markdown(section.head, section.rows), ""]
        lines += [text for note in section.notes for text in (note, "")]
    verdicts = [
        (ratio.what, ratio.found, "" if ratio.wanted is None else ratio.wanted, ratio.verdict)
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

Beside the JVM: a loop of kafka-clients, Avro's GenericDatumReader, a map for each poll and pgjdbc; Kafka Streams with a
processor that gathers a batch and a store that writes it before Streams commits its offsets; Kafka Connect with
Debezium's JDBC sink, which upserts what a record says and cannot add, so its rate is an upper bound of what a sink that
counts could do. PostgreSQL alone reads the events from a table of its own, 8,000 for each transaction: what is left of
the fold without Kafka, decoding and a client. Additive upserts, and positions in the same transaction but for the sink.
All start cold; the later half shows what a warm runtime does. After each run the tables are compared with rows counted
from the workload.

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


def write_json(path: Path, sections: Sequence[Section]) -> None:
    """The same figures for programs, with the machine and what else it was busy with; NaN becomes null."""
    told = {
        "machine": machine(),
        "sections": [
            {
                "title": section.title,
                "rows": [dict(zip(section.head, map(_plain, row), strict=True)) for row in section.rows],
                "ratios": [{**asdict(ratio), "verdict": ratio.verdict} for ratio in section.ratios],
                "notes": list(section.notes),
            }
            for section in sections
        ],
    }
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Where and when this runs."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "linux": platform.release(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def load_before() -> str:
    """For a note: how busy the machine is before anything is measured. With other work beside it figures are low, and
    ratios uncertain."""
    return f"The machine before: a load of {os.getloadavg()[0]:.1f} in the last minute on {os.cpu_count()} cores."


def _plain(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell


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
