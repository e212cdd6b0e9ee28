"""What the two sides say to each other: one line of JSON for each request and each answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import orjson

MAX_FRAME_BYTES: Final = 2 * 1024 * 1024
MAX_NUMBERS: Final = 10_000
"""Numbers in one request."""
MAX_VALUE: Final = 2**62
"""A number beyond it could wrap around with its noise: PyDP adds without a check."""


class DrawnInFork(RuntimeError):
    """Noise was asked for in a forked child. It would be the noise that its parent draws next."""

    def __init__(self) -> None:
        super().__init__("noise is never drawn in a fork of the process that draws it or owns the one that does")


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whole numbers that each get a noise of their own: Laplace of `epsilon` at the L1 `sensitivity`, or Gaussian of
    the standard deviation `std`. With `select_epsilon`, one is noised only if the truncated geometric selection keeps
    it: those are numbers of members."""

    noise: Literal["laplace", "gaussian"]
    values: tuple[int, ...]
    epsilon: float = 0.0
    sensitivity: int = 0
    std: float = 0.0
    select_epsilon: float = 0.0
    select_delta: float = 0.0
    select_partitions: int = 1


Noisy = list[int | None]
"""A number for each of `Numbers.values`; None for one that the selection dropped."""


def request(number: int, asked: Sequence[Numbers]) -> bytes:
    """A request as a line."""
    return orjson.dumps([number, [[getattr(one, name) for name in _FIELDS] for one in asked]]) + b"\n"


def read_request(line: bytes) -> tuple[int, list[Numbers]]:
    """Inverse of `request`."""
    number, asked = orjson.loads(line)
    return number, [Numbers(**dict(zip(_FIELDS, one, strict=True))) for one in asked]


def answer(number: int, drawn: list[Noisy] | None, refusal: str = "") -> bytes:
    """An answer as a line: the numbers, or why there are none."""
    return orjson.dumps([number, drawn, refusal]) + b"\n"


def read_answer(line: bytes) -> tuple[int, list[Noisy] | None, str]:
    """Inverse of `answer`."""
    found: list[Any] = orjson.loads(line)
    return found[0], found[1], found[2]


_FIELDS: Final = tuple(one.name for one in fields(Numbers))
