"""A whole import, from files to the last projection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.columns import KINDS, Kind
from lyceum_cli.importing.gathering import gather
from lyceum_cli.importing.journal import Subject, Tally
from lyceum_cli.importing.plan import DEFAULT_SLICE_DAYS, MAX_BATCH_ITEMS, batches
from lyceum_cli.importing.progress import NoProgress, Progress
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.rejects import RejectFiles
from lyceum_cli.importing.sending import Sender
from lyceum_cli.importing.settling import DEADLINE_S, settle


@dataclass(frozen=True, slots=True)
class Order:
    """What to import and how. `rejects` is a folder, `state` a file."""

    gateway: str
    dataset: str
    sources: Sequence[Source]
    rejects: Path
    state: Path
    mapping: Path | None = None
    batch_items: int = MAX_BATCH_ITEMS
    slice_days: int = DEFAULT_SLICE_DAYS
    settle_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class Imported:
    """How it went. `rows` counts what this run did, `tallies` all runs of the import."""

    dataset: str
    tallies: Mapping[Kind, Tally]
    rows: int
    resumed_at_batch: int
    sent_s: float
    settled_s: float
    rejects: Sequence[Path]

    @property
    def rejected(self) -> int:
        """Rows that were set aside."""
        return sum(tally.rejected for tally in self.tallies.values())


async def run(gateway: Gateway, order: Order, progress: Progress | None = None) -> Imported:
    """Import into the community behind a logged-in gateway; returns when every projection shows it.

    Raises any `CliError`; run again, it goes on where it stopped.
    """
    shown = progress or NoProgress()
    gathered = gather(order.sources, order.mapping)
    planned = batches(gathered.items, order.batch_items, order.slice_days)
    rejects = RejectFiles(order.rejects, gathered.sources, gathered.tables)
    sender = Sender(gateway, order.state, rejects, shown.done)
    subject = Subject(
        gateway=order.gateway,
        dataset=order.dataset,
        files=gathered.files,
        batch_items=order.batch_items,
        slice_days=order.slice_days,
    )
    began = sender.begin(subject, gathered)
    shown.begin({kind: gathered.rows(kind) for kind in KINDS if gathered.rows(kind)})
    started = time.monotonic()
    journal = await sender.send(began, planned)
    sent_s = time.monotonic() - started
    shown.settling()
    await settle(gateway, [*journal.tokens.values()], order.settle_s)
    shown.settled()
    sender.finish(journal)
    return Imported(
        dataset=order.dataset,
        tallies=journal.tallies,
        rows=sum(len(one.items) for one in planned[began.batches_done :]),
        resumed_at_batch=began.batches_done,
        sent_s=sent_s,
        settled_s=time.monotonic() - started - sent_s,
        rejects=rejects.paths(),
    )
