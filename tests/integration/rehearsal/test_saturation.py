"""What a load that rises to the machine's end is judged by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.saturation import Stage, complaints


def stage(rate: float, p99_ms: float = 50.0, **failed: int) -> Stage:
    """A stage that kept up, with failures by cause (`s429=3`)."""
    causes = {name.removeprefix("s"): count for name, count in failed.items()}
    return Stage(rate, rate, p99_ms / 2, p99_ms, causes, {}, 1.0)


FIRST, END, TWICE, FOUR_TIMES = stage(10), stage(40, 3_000), stage(80, 3_000, s429=1), stage(160, 3_000, s429=900)
GOOD = [FIRST, END, TWICE, FOUR_TIMES, stage(10)]


def test_what_sheds_and_recovers_is_as_it_must_be() -> None:
    assert list(complaints(GOOD)) == []


@pytest.mark.parametrize(
    ("place", "instead", "said"),
    [
        (1, stage(40), "NOT AT ITS END at 40/s: give higher --rates"),
        (3, stage(160, 20_000), "NOTHING WAS REFUSED at 160/s, with p99 20000 ms"),
        (3, stage(160, 20_000, s503=5), "NOTHING WAS REFUSED at 160/s, with p99 20000 ms"),
        (4, stage(10, 1_500), "DID NOT RECOVER"),
        (4, stage(10, s429=1), "DID NOT RECOVER"),
    ],
)
def test_each_other_end_is_told(place: int, instead: Any, said: str) -> None:
    found = [*GOOD[:place], instead, *GOOD[place + 1 :]]
    assert list(complaints(found)) == [said]
