"""Plans the trials: all numbers of all kinds, without those that an earlier run has done. Results are lines of a
file."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Planned(Protocol):
    """A kind of fault: the number of trials for a release, and the approximate length of one."""

    @property
    def name(self) -> str: ...
    @property
    def trials(self) -> int: ...
    @property
    def about_s(self) -> float: ...


K = TypeVar("K", bound=Planned)


class Results:
    """The file of results, read at the start and appended to."""

    def __init__(self, file: Path, *, fresh: bool) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            file.unlink(missing_ok=True)
        self._file = file
        self.all: list[dict[str, Any]] = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )

    def add(self, result: dict[str, Any]) -> None:
        self.all.append(result)
        with self._file.open("a") as out:
            out.write(json.dumps(result) + "\n")

    def seed(self, wanted: int | None) -> int:
        """The wanted seed, else that of the last result, else a random one."""
        if wanted is not None:
            return wanted
        return int(self.all[-1]["seed"]) if self.all else random.SystemRandom().getrandbits(32)


def options(kinds: Sequence[Planned], program: str, description: str | None, document: Path) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--only", choices=[kind.name for kind in kinds], action="append", help="this kind; repeatable")
    parser.add_argument("--trials", type=int, help="of each kind, instead of the release's numbers")
    parser.add_argument("--seed", type=int, help="decides victims and moments; default: that of the results, or chance")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--document", action="store_true", help=f"write {document}")
    return parser.parse_args()


def plan(kinds: Sequence[K], chosen: argparse.Namespace, results: Results) -> list[tuple[K, int]]:
    """The trials that are left to do."""
    done = {(result["kind"], result["trial"]) for result in results.all}
    return [
        (kind, number)
        for kind in kinds
        if not chosen.only or kind.name in chosen.only
        for number in range(chosen.trials or kind.trials)
        if (kind.name, number) not in done
    ]
