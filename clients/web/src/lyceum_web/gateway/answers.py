"""Reading an answer of the gateway: each field has its type, or the answer is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lyceum_web.errors import BadAnswer

MOST: Final = 1e18
"""A number above this is no figure of a community."""


@dataclass(frozen=True, slots=True)
class Window:
    """What an answer looks at: from `start` (included) to `end` (not included), whole days of `zone`."""

    start: datetime
    end: datetime
    days: int
    zone: ZoneInfo


def object_of(path: str, body: bytes) -> Mapping[str, Any]:
    """The JSON object that `body` is. Raises `BadAnswer`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise BadAnswer(path, "no JSON") from failure
    if not isinstance(found, dict):
        raise BadAnswer(path, "no JSON object")
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer. Every reader raises `BadAnswer` for what is absent or of another type.

    JSON of protobuf: whole numbers of 64 bits are texts, and numbers may be the texts NaN or Infinity.
    """

    path: str
    body: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A text, which may be empty."""
        found = self.body.get(name)
        return found if isinstance(found, str) else self._refuse(name, "a text")

    def whole(self, name: str) -> int:
        """A whole number."""
        found = self.body.get(name)
        return self._whole(name, found)

    def number(self, name: str) -> float | None:
        """A number; None where it is not finite: whoever divides by nothing may answer so."""
        found = self.body.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float | str):
            return self._refuse(name, "a number")
        try:
            value = float(found)
        except ValueError:
            return self._refuse(name, "a number")
        if not math.isfinite(value):
            return None
        return value if abs(value) <= MOST else self._refuse(name, "a number of usual size")

    def maybe(self, name: str) -> float | None:
        """A number that an answer may leave out; None then, and where it is not finite."""
        return self.number(name) if self.body.get(name) is not None else None

    def flag(self, name: str) -> bool:
        """True or false."""
        found = self.body.get(name)
        return found if isinstance(found, bool) else self._refuse(name, "true or false")

    def day(self, name: str) -> date:
        """A calendar day."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            return self._refuse(name, "a day")

    def numbers(self, name: str) -> list[float | None]:
        """A list of numbers; None for those that are not finite."""
        found = self.body.get(name)
        if not isinstance(found, list):
            return self._refuse(name, "a list of numbers")
        return [Answer(self.path, {name: one}).number(name) for one in found]

    def wholes(self, name: str) -> Mapping[str, int]:
        """Whole numbers by their names, in the order of the names."""
        found = self.body.get(name)
        if not isinstance(found, dict):
            return self._refuse(name, "an object")
        return {key: self._whole(f"{name}.{key}", found[key]) for key in sorted(found)}

    def each(self, name: str) -> list[Answer]:
        """A list of objects."""
        found = self.body.get(name)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            return self._refuse(name, "a list of objects")
        return [Answer(self.path, one) for one in found]

    def part(self, name: str) -> Answer:
        """An object inside."""
        found = self.body.get(name)
        return Answer(self.path, found) if isinstance(found, dict) else self._refuse(name, "an object")

    def moment(self, name: str) -> datetime:
        """A moment with its zone."""
        try:
            found = datetime.fromisoformat(self.text(name))
        except ValueError:
            return self._refuse(name, "a time")
        return found if found.tzinfo else self._refuse(name, "a time with a zone")

    def window(self, name: str) -> Window:
        """The window that the figures look at."""
        found = self.part(name)
        try:
            zone = ZoneInfo(found.text("time_zone"))
        except (ValueError, ZoneInfoNotFoundError, OSError):
            return self._refuse(name, "a window in a known zone")
        start, end = (found.moment(bound).astimezone(zone) for bound in ("from", "to"))
        return Window(start, end, found.whole("days"), zone)

    def applied_at(self, name: str) -> Mapping[str, datetime]:
        """When each projection behind the answer last changed, of its partitions the latest."""
        latest: dict[str, datetime] = {}
        for source in self.part(name).each("sources"):
            projection = source.text("projection")
            if source.body.get("applied_at") is not None:
                at = source.moment("applied_at")
                latest[projection] = max(at, latest.get(projection, at))
        return dict(sorted(latest.items()))

    def _whole(self, name: str, found: object) -> int:
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        if isinstance(found, str) and found.isascii() and found.removeprefix("-").isdigit():
            return int(found)
        return self._refuse(name, "a whole number")

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        raise BadAnswer(self.path, f"{name} is not {wanted}")
