"""Compares the services' figures with the oracle's: integers and texts must be equal, floats within a relative bound,
lists in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

RELATIVE_BOUND: Final = 1e-9
ABSENT: Final = "(absent)"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure from both sides."""

    name: str
    lyceum: Any
    oracle: Any

    @property
    def equal(self) -> bool:
        """Whether both sides are equal."""
        if isinstance(self.lyceum, float) and isinstance(self.oracle, float):
            return math.isclose(self.lyceum, self.oracle, rel_tol=RELATIVE_BOUND)
        return type(self.lyceum) is type(self.oracle) and self.lyceum == self.oracle


def compare(lyceum: Mapping[str, Any], oracle: Mapping[str, Any]) -> list[Compared]:
    """Every figure of either side; a figure that one side lacks differs."""
    ours, theirs = dict(_flat(lyceum)), dict(_flat(oracle))
    names = [*ours, *(name for name in theirs if name not in ours)]
    return [Compared(name, ours.get(name, ABSENT), theirs.get(name, ABSENT)) for name in names]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case Mapping():
            for key, found in value.items():
                yield from _flat(found, f"{name} / {key}" if name else str(key))
        case list():
            for place, found in enumerate(value, start=1):
                yield from _flat(found, f"{name} / {place}")
        case _:
            yield name, value
