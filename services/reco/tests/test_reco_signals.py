"""How much each act says for a member's taste."""

from __future__ import annotations

import pytest

from reco.recommendation.domain.signals import SIGNALS, WEIGHTS, strength

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("weight", "rating", "watched_ms", "duration_ms", "hidden", "expected"),
    [
        ("view", None, 0, None, False, 1.0),
        ("view", None, 5_000, None, False, 1.0),  # without a duration a look says what it says
        ("view", None, 0, 10 * MINUTE_MS, False, 1.0),  # the client did not say how long
        ("view", None, 5_000, 10 * MINUTE_MS, False, -1.0),
        ("view", None, 5_000, 20_000, False, 0.625),  # short, but a quarter of it
        ("view", None, 2 * MINUTE_MS, 40 * MINUTE_MS, False, 0.525),  # little of it, but two minutes
        ("view", None, 99 * MINUTE_MS, 10 * MINUTE_MS, False, 1.0),
        ("like", None, 5_000, 10 * MINUTE_MS, False, 2.0),
        ("purchase", None, 0, None, False, 5.0),
        ("purchase", 1, 0, None, False, -1.0),
        ("rate", 2, 0, None, False, -1.0),
        ("rate", 3, 0, None, False, 0.5),
        ("complete", 3, 0, None, False, 4.0),
        ("rate", 5, 0, None, False, 2.2),
        ("purchase", 5, 0, None, True, -1.0),
    ],
)
def test_strength(
    weight: str, rating: int | None, watched_ms: int, duration_ms: int | None, hidden: bool, expected: float
) -> None:
    found = strength(
        weight=WEIGHTS[weight],  # type: ignore[index]
        rating=rating,
        watched_ms=watched_ms,
        duration_ms=duration_ms,
        hidden=hidden,
    )
    assert found == pytest.approx(expected)


def test_given_a_weight_when_looked_up_then_it_tells_its_signal() -> None:
    assert len(SIGNALS) == len(WEIGHTS)
