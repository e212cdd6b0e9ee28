"""Every event that a store may hold is read by today's code, for ever; and what would break that is found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eventfold import EventCodec
from lyceum_generate.__main__ import STORED
from lyceum_generate.services import definitions
from lyceum_generate.stored import add_missing_stored, complaints, read

FOLDER = Path(__file__).parents[3] / STORED


@pytest.mark.parametrize("service", definitions())
def test_every_stored_type_and_version_has_a_golden_that_todays_code_reads(service: str) -> None:
    assert complaints(definitions()[service].codec, FOLDER / service) == []


def test_no_golden_is_without_its_service() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/*.json")} <= set(definitions())
    assert sum(1 for _ in FOLDER.glob("*/*.json")) == sum(len(one.codec.types) for one in definitions().values()) > 20


@dataclass(frozen=True)
class Moved:
    """Version 1 of the example."""

    place: str
    at: datetime


@dataclass(frozen=True)
class MovedWithReason:
    """The same with a field more."""

    place: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class MovedToNumber:
    """The same with another type of field."""

    place: int
    at: datetime


FIRST = EventCodec({Moved: ("thing.moved", 1)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The goldens of version 1."""
    assert add_missing_stored(FIRST, tmp_path) == ["thing.moved.v1"]
    return tmp_path


def second(upcaster: Any) -> EventCodec:
    return EventCodec({MovedWithReason: ("thing.moved", 2)}, {("thing.moved", 1): upcaster})


def test_the_golden_is_what_the_store_holds(folder: Path) -> None:
    assert complaints(FIRST, folder) == []
    kept = json.loads((folder / "thing.moved.v1.json").read_text())
    assert kept == {"place": "样本 sample", "at": "2026-01-02T03:04:05.678901+00:00"}


def test_a_new_class_without_a_golden_is_found(folder: Path) -> None:
    codec = EventCodec({Moved: ("thing.moved", 1), MovedToNumber: ("thing.counted", 1)})
    assert complaints(codec, folder) == ["thing.counted.v1 has no golden: run make generate, and keep what it writes"]


def test_a_new_version_without_a_golden_is_found_and_the_tool_adds_it_beside_the_old(folder: Path) -> None:
    codec = second(lambda data: {**data, "reason": "unknown"})
    old = (folder / "thing.moved.v1.json").read_bytes()
    assert [text.split(":")[0] for text in complaints(codec, folder)] == ["thing.moved.v2 has no golden"]
    assert add_missing_stored(codec, folder) == ["thing.moved.v2"] and complaints(codec, folder) == []
    assert (folder / "thing.moved.v1.json").read_bytes() == old


def test_an_old_version_that_lost_its_upcaster_is_found(folder: Path) -> None:
    codec = EventCodec({MovedWithReason: ("thing.moved", 2)})
    add_missing_stored(codec, folder)
    assert [text.split(":")[0] for text in complaints(codec, folder)] == ["thing.moved.v1 cannot be read"]


@pytest.mark.parametrize("changed", [MovedWithReason, MovedToNumber])
def test_a_class_that_changed_under_its_version_is_found(folder: Path, changed: type[Any]) -> None:
    found = complaints(EventCodec({changed: ("thing.moved", 1)}), folder)
    assert len(found) == 1 and ("next version" in found[0] or "cannot be read" in found[0])


def test_a_type_that_left_the_code_is_found(folder: Path) -> None:
    assert complaints(EventCodec({}), folder) == [
        "thing.moved.v1 is no type or version of this build, yet stores hold it"
    ]


def test_the_tool_never_changes_an_existing_golden(folder: Path) -> None:
    path = folder / "thing.moved.v1.json"
    path.write_text('{"place": "elsewhere"}')
    assert add_missing_stored(FIRST, folder) == [] and read(path) == {"place": "elsewhere"}
    assert complaints(FIRST, folder) != []
