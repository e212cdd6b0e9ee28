"""A whole import, from files to the last projection; or only its reading, to see what would be sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.columns import KINDS, Kind
from lyceum_cli.importing.gathering import Gathered, gather
from lyceum_cli.importing.holding import held
from lyceum_cli.importing.journal import Subject, Tally
from lyceum_cli.importing.known import Known
from lyceum_cli.importing.plan import DEFAULT_SLICE_DAYS, MAX_BATCH_ITEMS, batches
from lyceum_cli.importing.progress import NoProgress, Progress
from lyceum_cli.importing.reading import AS_DOCUMENTED, Format, Source
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
    form: Format = AS_DOCUMENTED


@dataclass(frozen=True, slots=True)
class Imported:
    """How it went. `rows` counts what this run did, `tallies` all runs of the import; of a dry run, what would be."""

    dataset: str
    tallies: Mapping[Kind, Tally]
    rows: int
    resumed_at_batch: int
    sent_s: float
    settled_s: float
    rejects: Sequence[Path]
    dry_run: bool = False

    @property
    def rejected(self) -> int:
        """Rows that were set aside."""
        return sum(tally.rejected for tally in self.tallies.values())


async def run(gateway: Gateway, order: Order, progress: Progress | None = None) -> Imported:
    """Import into the community behind a logged-in gateway; returns when every projection shows it.

    Raises any `CliError`; run again, it goes on where it stopped.
    """
    with held(order.state), held(order.rejects):
        return await _run(gateway, order, progress or NoProgress())


def check(order: Order) -> Imported:
    """Read and check everything, send nothing; leaves the state file alone and puts rejects into a folder of their
    own, `<rejects>.dry-run`. Raises `BadFile`, `BadMapping` or `CannotWrite`."""
    folder = order.rejects.with_name(f"{order.rejects.name}.dry-run")
    with held(folder):
        gathered = gather(order.sources, order.mapping, order.form)
        rejects = RejectFiles(folder, gathered.sources, gathered.tables)
        rejects.rewind({})
        rejects.add(gathered.rejects)
        return Imported(
            dataset=order.dataset,
            tallies={kind: _would_be(gathered, kind) for kind in KINDS if gathered.rows(kind)},
            rows=len(gathered.items),
            resumed_at_batch=0,
            sent_s=0.0,
            settled_s=0.0,
            rejects=rejects.paths(),
            dry_run=True,
        )


def _would_be(gathered: Gathered, kind: Kind) -> Tally:
    """What an empty community would make of the rows, as far as can be told here."""
    ids = Counter(one.external_id for one in gathered.items if one.kind == kind)
    refused = sum(gathered.sources[reject.source].kind == kind for reject in gathered.rejects)
    return Tally(created=len(ids), duplicate=ids.total() - len(ids), rejected=refused)


async def _run(gateway: Gateway, order: Order, shown: Progress) -> Imported:
    gathered = gather(order.sources, order.mapping, order.form)
    planned = batches(gathered.items, order.batch_items, order.slice_days)
    rejects = RejectFiles(order.rejects, gathered.sources, gathered.tables)
    known = Known(order.state, order.gateway, order.dataset)
    sender = Sender(gateway, order.state, rejects, known, shown.done)
    subject = Subject(
        gateway=order.gateway,
        dataset=order.dataset,
        files=gathered.files,
        batch_items=order.batch_items,
        slice_days=order.slice_days,
        form=asdict(order.form),
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
