"""What somebody caused is found, without its content; and what a service holds."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import House, context
from shelf import add

from eventfold_ops.cli import parser
from eventfold_ops.deployment import Deployment
from eventfold_ops.looking import show_events, show_sizes
from eventfold_ops.output import Refused


def arguments(*words: str) -> argparse.Namespace:
    return parser().parse_args(["--app", "any", *words])


async def listed(library: Deployment, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert await show_events(library, arguments("--json", "events", *words)) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
async def recorded(house: House, library: Deployment) -> Deployment:
    """Two members' books by three requests."""
    for shelf, actor, correlation in (("a", "ada", "r1"), ("b", "ada", "r2"), ("a", "bob", "r3")):
        told = replace(context(), now=datetime.now(UTC), actor=actor, correlation_id=correlation)
        await house.store.handle(add(shelf, f"secret of {actor}"), told)
    return library


async def test_a_members_events_are_those_by_them_in_their_order(
    recorded: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await listed(recorded, capsys, "--member", "ada")
    assert [(one["actor"], one["correlation_id"]) for one in found] == [("ada", "r1"), ("ada", "r2")]
    assert {one["service"] for one in found} == {"library"}


async def test_what_is_about_a_member_is_theirs_whoever_did_it(
    recorded: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Streams and partitions bear the ids of whom they are about."""
    found = await listed(recorded, capsys, "--member", "a")
    assert [one["correlation_id"] for one in found] == ["r1", "r3"]


async def test_one_request_is_found_by_its_id_and_a_stream_by_its_name(
    recorded: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    (only,) = await listed(recorded, capsys, "--correlation", "r2")
    assert [one["version"] for one in await listed(recorded, capsys, "--stream", only["stream"])] == [1]


async def test_nothing_of_the_content_is_shown(recorded: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    for form in (["--json"], []):
        capsys.readouterr()
        await show_events(recorded, arguments(*form, "events", "--member", "ada"))
        said = capsys.readouterr().out
        assert "ada" in said and "secret" not in said


async def test_what_is_older_is_left_out_and_said_to_be(
    house: House, recorded: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    async with house.pool.connection() as conn:
        await conn.execute("UPDATE events SET recorded_at = recorded_at - %s", [timedelta(days=3)])
    assert len(await listed(recorded, capsys, "--member", "ada", "--days", "4")) == 2
    assert await show_events(recorded, arguments("events", "--member", "ada", "--days", "2")) == 0
    assert capsys.readouterr().out == "library has no such events of the last 2 days\n"


@pytest.mark.parametrize("value", ["%", "_", "' OR true --", "a'"])
async def test_an_id_is_no_pattern_and_no_statement(
    recorded: Deployment, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert await listed(recorded, capsys, "--member", value) == []


@pytest.mark.parametrize("days", ["0", "-1", "4000", "nan"])
async def test_a_time_that_is_none_is_refused(recorded: Deployment, days: str) -> None:
    with pytest.raises(Refused, match="--days"):
        await show_events(recorded, arguments("events", "--member", "ada", "--days", days))


async def test_sizes_are_those_of_the_tables_and_topics(
    healthy: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert await show_sizes(healthy, arguments("--json", "sizes")) == 0
    found = json.loads(capsys.readouterr().out)
    tables = {one["name"]: one for one in found["tables"]}
    assert tables["events"]["bytes"] > tables["events"]["index_bytes"] > 0
    (topic,) = found["topics"]
    assert topic["partitions"] == 2 and topic["records"] >= 1
    assert await show_sizes(healthy, arguments("sizes")) == 0
    assert "events" in capsys.readouterr().out
