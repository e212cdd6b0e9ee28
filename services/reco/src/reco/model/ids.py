"""Ids of the outside as dense numbers, and ties that do not depend on the order in which ids came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from reco.model.growing import Vector
from reco.model.rows import Ints

TIE_BYTES = 7  # fits a signed 64-bit number


def tie(one: str) -> int:
    """A number that orders ids with equal times: the same wherever and whenever it is computed, and without meaning."""
    return int.from_bytes(hashlib.blake2b(one.encode(), digest_size=TIE_BYTES).digest(), "big")


class Ids:
    """Gives each id the next number, up to a bound. Numbers are never given back."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._ties: Vector[np.int64] = Vector(np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def number(self, one: str) -> int | None:
        """The number of an id that is known."""
        return self._numbers.get(one)

    def numbered(self, one: str) -> int | None:
        """The number of an id, a new one if need be; None if the bound is reached."""
        known = self._numbers.get(one)
        if known is not None or len(self._ids) >= self._bound:
            return known
        number = self._numbers[one] = len(self._ids)
        self._ids.append(one)
        self._ties.grow(number + 1)
        self._ties.values[number] = tie(one)
        return number

    def release(self, one: str) -> None:
        """Forget an id. Its number stays unused."""
        number = self._numbers.pop(one, None)
        if number is not None:
            self._ids[number] = ""

    def name(self, number: int) -> str:
        """The id with this number."""
        return self._ids[number]

    def tie(self, number: int) -> int:
        """The tie of the id with this number."""
        return int(self._ties.values[number])

    @property
    def ties(self) -> Ints:
        """The ties of all ids by number, as a view."""
        return self._ties.values
