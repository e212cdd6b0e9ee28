"""Sends batches one after the other and writes down how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final

from lyceum_cli.errors import BadAnswer, Refused
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing import journal as journals
from lyceum_cli.importing.columns import COLUMNS, KINDS, Kind
from lyceum_cli.importing.gathering import Gathered
from lyceum_cli.importing.journal import Journal, Subject, Tally
from lyceum_cli.importing.known import Known
from lyceum_cli.importing.plan import Batch
from lyceum_cli.importing.rejects import Reject, RejectFiles
from lyceum_cli.importing.rows import Item

UNREADABLE: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""Refusals of a whole request that one item of it may have caused."""
REJECTED: Final = "rejected"
DUPLICATE: Final = "duplicate"
STATUSES: Final = ("created", DUPLICATE, REJECTED)
OTHERWISE: Final = "was imported before, and said something else then, which stands"
NAMED: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    "members": (),
    "contents": ("members",),
    "interactions": ("members",),
    "orders": ("members", "contents"),
}
"""What the rows of each kind name that is kept by another service: it has to have heard of it first."""

Result = Mapping[str, str]
Told = Callable[[Kind, int], None]
"""Is told of rows that are done, by kind."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the items of a batch."""

    tally: Tally
    rejects: tuple[Reject, ...]
    token: str


class Sender:
    """One import. `told` hears of progress; the rows of batches done before count from the start."""

    def __init__(
        self,
        gateway: Gateway,
        state: Path,
        rejects: RejectFiles,
        known: Known,
        told: Told = lambda kind, rows: None,
    ) -> None:
        self._gateway = gateway
        self._known = known
        self._state = state
        self._rejects = rejects
        self._told = told

    def begin(self, subject: Subject, gathered: Gathered) -> Journal:
        """The journal to go on from. A new one has the rows that could not be read set aside already."""
        found = journals.load(self._state, subject)
        if found is not None:
            self._rejects.rewind(found.reject_bytes)
            return found
        self._rejects.rewind({})
        self._rejects.add(gathered.rejects)
        journal = Journal(subject, tallies=_unreadable(gathered), reject_bytes=self._rejects.sizes())
        journals.save(self._state, journal)
        return journal

    async def send(self, journal: Journal, batches: Sequence[Batch]) -> Journal:
        """Send what is not done yet. Raises `Unavailable`, `Refused` or `BadAnswer`; the state file tells how far it
        came."""
        for kind, tally in journal.tallies.items():
            self._told(kind, tally.created + tally.duplicate + tally.rejected)
        for batch in batches[journal.batches_done :]:
            after = [journal.tokens[kind] for kind in NAMED[batch.kind] if kind in journal.tokens]
            delivered = await self._deliver(journal.subject.dataset, batch.kind, batch.items, after)
            self._rejects.add(delivered.rejects)
            journal = journal.done(batch.kind, delivered.tally, delivered.token, self._rejects.sizes())
            journals.save(self._state, journal)
            self._told(batch.kind, len(batch.items))
        return journal

    def finish(self, journal: Journal) -> None:
        """Say that nothing is left to do: the next import of the same begins anew."""
        journals.save(self._state, replace(journal, finished=True))

    async def _deliver(self, dataset: str, kind: Kind, items: Sequence[Item], after: Sequence[str]) -> Delivered:
        path, sent = COLUMNS[kind].path, [one.sent(dataset) for one in items]
        try:
            answer = await self._gateway.post(path, {"dataset": dataset, "items": sent}, after=after)
        except Refused as refusal:
            if refusal.status not in UNREADABLE or refusal.field == "dataset":
                raise
            return await self._halved(dataset, kind, items, after, refusal)
        return self._settled(items, _checked(path, items, answer.body.get("results", [])), answer.token)

    def _settled(self, items: Sequence[Item], results: Sequence[Result], token: str) -> Delivered:
        told = [self._compared(one, result) for one, result in zip(items, results, strict=True)]
        statuses = [result["status"] for result in told]
        refused = [(one, result) for one, result in zip(items, told, strict=True) if result["status"] == REJECTED]
        self._known.add(one for one, status in zip(items, statuses, strict=True) if status != REJECTED)
        rejects = [Reject(one.source, one.line, found["error_field"], found["error_reason"]) for one, found in refused]
        return Delivered(Tally(*(statuses.count(status) for status in STATUSES)), tuple(rejects), token)

    def _compared(self, one: Item, result: Result) -> Result:
        """A duplicate that says something else than what was imported is none: the row has no effect."""
        if result["status"] == DUPLICATE and self._known.differs(one):
            return {"status": REJECTED, "error_field": "external_id", "error_reason": OTHERWISE}
        return result

    async def _halved(
        self, dataset: str, kind: Kind, items: Sequence[Item], after: Sequence[str], refusal: Refused
    ) -> Delivered:
        """One item can make a whole request unreadable: find it, so that the others still arrive."""
        if len(items) == 1:
            reject = Reject(items[0].source, items[0].line, refusal.field, refusal.message)
            return Delivered(Tally(rejected=1), (reject,), "")
        middle = len(items) // 2
        first = await self._deliver(dataset, kind, items[:middle], after)
        second = await self._deliver(dataset, kind, items[middle:], after)
        tally = first.tally.plus(second.tally.created, second.tally.duplicate, second.tally.rejected)
        return Delivered(tally, first.rejects + second.rejects, second.token or first.token)


def _unreadable(gathered: Gathered) -> dict[Kind, Tally]:
    kinds = [gathered.sources[reject.source].kind for reject in gathered.rejects]
    return {kind: Tally(rejected=kinds.count(kind)) for kind in KINDS if kind in kinds}


def _checked(path: str, items: Sequence[Item], results: Sequence[Result]) -> list[Result]:
    """The results, if they are those of the items. Raises `BadAnswer`."""
    if [one.external_id for one in items] != [result["external_id"] for result in results]:
        raise BadAnswer(path, "the results are not those of the items sent")
    if unknown := {result["status"] for result in results} - set(STATUSES):
        raise BadAnswer(path, f"unknown statuses: {', '.join(sorted(unknown))}")
    return list(results)
