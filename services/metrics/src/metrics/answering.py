"""Answers to questions about one day, kept until the data behind them changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from metrics.domain.windows import day_of
from metrics.kept import Kept, reached
from metrics.reading import Look, Reading
from metrics.shaping import freshness
from servicekit.times import stamp

MAX_KEPT: Final = 256
"""Answers of one servicer; the largest have some 50 KB."""

Told = TypeVar("Told", bound=Message)


class Answering:
    """Answers of one servicer. What a question looks at ends with the day of its `as_of`, so a question is asked again
    by everybody who asks it on that day."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._kept: Kept[Any] = Kept(MAX_KEPT)

    async def answer(
        self, request: Any, as_of: datetime, reads: Sequence[str], compute: Callable[[Reading], Awaitable[Told]]
    ) -> Told:
        """The answer to `request`: `compute` makes it of one look at the tables, without `as_of` and `freshness`, if it
        is not kept for the present position of the projections `reads`.

        The caller has been admitted, and the request checked: whoever asks the same gets the same.
        """
        async with self._look() as reading:
            question = type(request).__name__, _of_any_moment(request), day_of(as_of, reading.zone)
            sources = await reading.sources(reads)
            found = await self._kept.get(question, reached(sources), lambda: compute(reading))
        answer: Told = type(found)()
        answer.CopyFrom(found)
        answer.as_of.CopyFrom(stamp(as_of))  # type: ignore[attr-defined]
        answer.freshness.CopyFrom(freshness(sources))  # type: ignore[attr-defined]
        return answer


def _of_any_moment(request: Any) -> bytes:
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("as_of")
    found: bytes = asked.SerializeToString(deterministic=True)
    return found
