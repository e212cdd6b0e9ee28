"""How an import went, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

from rich.table import Table

from lyceum_cli.importing.columns import KINDS, Kind
from lyceum_cli.importing.journal import Tally
from lyceum_cli.importing.running import Imported


def as_json(imported: Imported) -> str:
    """One JSON object."""
    return json.dumps(
        {
            "dataset": imported.dataset,
            "dry_run": imported.dry_run,
            "kinds": {kind: asdict(tally) for kind, tally in imported.tallies.items()},
            "rows": imported.rows,
            "rows_per_s": round(_rate(imported), 1),
            "sent_s": round(imported.sent_s, 3),
            "settled_s": round(imported.settled_s, 3),
            "resumed_at_batch": imported.resumed_at_batch,
            "rejects": [str(path) for path in imported.rejects],
        }
    )


def as_table(imported: Imported) -> Table:
    """A table with a line for each kind."""
    table = Table(title=_title(imported))
    table.add_column("kind")
    for name in _NAMES:
        table.add_column(name, justify="right")
    for kind in KINDS:
        table.add_row(kind, *(f"{count:,}" for count in _counts(imported, kind)))
    return table


def as_lines(imported: Imported) -> list[str]:
    """The same for terminals that are too narrow for a table."""
    lines = [_title(imported)]
    for kind in KINDS:
        counts = zip(_counts(imported, kind), _NAMES, strict=True)
        lines += [f"{kind}:", *(f"  {count:,} {name}" for count, name in counts)]
    return lines


_NAMES: Final = ("created", "duplicate", "rejected")


def _title(imported: Imported) -> str:
    return f"dry run of {imported.dataset}" if imported.dry_run else f"import of {imported.dataset}"


def _counts(imported: Imported, kind: Kind) -> tuple[int, int, int]:
    tally = imported.tallies.get(kind, Tally())
    return tally.created, tally.duplicate, tally.rejected


def _rate(imported: Imported) -> float:
    return imported.rows / imported.sent_s if imported.sent_s else 0.0


def remarks(imported: Imported) -> list[str]:
    """What stands below the table: rate, interruption, and where rows were set aside."""
    set_aside = [f"set aside: {path}" for path in imported.rejects]
    if imported.dry_run:
        return ["nothing was sent: these are the rows of the files as an empty community would take them", *set_aside]
    lines = [
        f"{imported.rows:,} rows in {imported.sent_s:.1f} s ({_rate(imported):,.0f} rows/s)",
        f"every projection had them {imported.settled_s:.1f} s later",
    ]
    if imported.resumed_at_batch:
        lines.append(f"went on after batch {imported.resumed_at_batch} of an interrupted run")
    return lines + set_aside
