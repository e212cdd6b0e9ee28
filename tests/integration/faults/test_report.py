"""What the table says of trials that prove nothing."""

from __future__ import annotations

from typing import Any

from tests.faults import report


def trial(kind: str, *, mid_work: bool) -> dict[str, Any]:
    return {"kind": kind, "trial": 0, "mid_work": mid_work, "broken": [], "notes": {}}


def test_a_kind_that_never_met_anything_under_way_is_named() -> None:
    results = [trial("kill-relay", mid_work=False), trial("kill-relay", mid_work=True), trial("stop", mid_work=False)]
    assert report.unproven(results) == ["stop"]
    assert "stop: in no trial" in report.notes(results)


def test_kinds_that_did_are_not() -> None:
    results = [trial("kill-relay", mid_work=True)]
    assert report.unproven(results) == []
    assert report.notes(results) == ""
