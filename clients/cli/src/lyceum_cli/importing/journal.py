"""The state file: how far an import has come, replaced whole and atomically after every batch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from lyceum_cli.errors import BadFile, CannotWrite, OtherImport
from lyceum_cli.importing.columns import Kind

VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """What is imported and how it is cut: batches done mean something only while this is the same.

    `files` maps names of everything that is read to the SHA-256 of its bytes, `form` says how they are written.
    """

    gateway: str
    dataset: str
    files: Mapping[str, str]
    batch_items: int
    slice_days: int
    form: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows of one kind."""

    created: int = 0
    duplicate: int = 0
    rejected: int = 0

    def plus(self, created: int = 0, duplicate: int = 0, rejected: int = 0) -> Tally:
        """With more rows."""
        return Tally(self.created + created, self.duplicate + duplicate, self.rejected + rejected)


@dataclass(frozen=True, slots=True)
class Journal:
    """`tokens` holds each service's last token; `reject_bytes` the reject files' sizes at this point."""

    subject: Subject
    batches_done: int = 0
    finished: bool = False
    tallies: Mapping[Kind, Tally] = field(default_factory=dict)
    tokens: Mapping[Kind, str] = field(default_factory=dict)
    reject_bytes: Mapping[str, int] = field(default_factory=dict)

    def done(self, kind: Kind, tally: Tally, token: str, reject_bytes: Mapping[str, int]) -> Journal:
        """After one more batch, whose rows came to `tally`."""
        sums = self.tallies.get(kind, Tally()).plus(tally.created, tally.duplicate, tally.rejected)
        tokens = {**self.tokens, kind: token} if token else self.tokens
        return replace(
            self,
            batches_done=self.batches_done + 1,
            tallies={**self.tallies, kind: sums},
            tokens=tokens,
            reject_bytes=dict(reject_bytes),
        )


def load(path: Path, subject: Subject) -> Journal | None:
    """The journal of an interrupted import of `subject`; None where there is none, or it had finished.

    Raises `OtherImport` where the file holds an unfinished import of something else, `BadFile` where it is no journal.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("version") != VERSION:
            raise BadFile(path, "was written by another version: remove it to begin anew (each row counts once)")
        journal = Journal(
            **{
                **found,
                "subject": Subject(**found["subject"]),
                "tallies": {kind: Tally(**tally) for kind, tally in found["tallies"].items()},
            }
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise BadFile(path, "is no state file of an import") from failure
    if journal.finished:
        return None
    differing = [name for name in asdict(subject) if getattr(subject, name) != getattr(journal.subject, name)]
    if differing:
        raise OtherImport(path, differing)
    return journal


def save(path: Path, journal: Journal) -> None:
    """Replace the file; a reader finds the old content or the new, also after a crash. Raises `CannotWrite`."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **asdict(journal)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as failure:
        raise CannotWrite(path, failure) from failure
