"""How an import went, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.table import Table

from lyceum_cli.importing.columns import KINDS
from lyceum_cli.importing.journal import Tally
from lyceum_cli.importing.running import Imported


def as_json(imported: Imported) -> str:
    """One JSON object."""
    return json.dumps(
        {
            "dataset": imported.dataset,
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
    table = Table(title=f"import of {imported.dataset}")
    table.add_column("kind")
    for name in ("created", "duplicate", "rejected"):
        table.add_column(name, justify="right")
    for kind in KINDS:
        tally = imported.tallies.get(kind, Tally())
        table.add_row(kind, f"{tally.created:,}", f"{tally.duplicate:,}", f"{tally.rejected:,}")
    return table


def _rate(imported: Imported) -> float:
    return imported.rows / imported.sent_s if imported.sent_s else 0.0


def remarks(imported: Imported) -> list[str]:
    """What stands below the table: rate, interruption, and where rows were set aside."""
    lines = [
        f"{imported.rows:,} rows in {imported.sent_s:.1f} s ({_rate(imported):,.0f} rows/s)",
        f"every projection had them {imported.settled_s:.1f} s later",
    ]
    if imported.resumed_at_batch:
        lines.append(f"went on after batch {imported.resumed_at_batch} of an interrupted run")
    return lines + [f"set aside: {path}" for path in imported.rejects]
