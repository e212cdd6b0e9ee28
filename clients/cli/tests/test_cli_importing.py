"""A whole import against a gateway in memory: repetition, interruption, rejection, freshness."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_gateway import FakeGateway

from lyceum_cli.errors import BadAnswer, BadFile, OtherImport, StillStale
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.ids import content_id
from lyceum_cli.importing.journal import Tally
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.running import Imported, Order, run
from lyceum_cli.importing.settling import PATHS, settle
from lyceum_cli.reporting import as_json

MEMBERS = "/v1/members:batchImport"


def order(folder: Path, rows: int = 10, extra: str = "") -> Order:
    """`rows` members, three to a batch, all in one slice."""
    path = folder / "members.csv"
    lines = [f"{number},member{number},2024-01-01T00:00:{number:02}Z" for number in range(rows)]
    path.write_text("external_id,username,registered_at\n" + "\n".join(lines) + "\n" + extra)
    return Order(
        "http://gateway", "d", [Source("members", path)], folder / "rejects", folder / "state.json", None, 3, 10_000
    )


def sent(fake: FakeGateway) -> list[str]:
    return [item["external_id"] for _, items in fake.batches for item in items]


def set_aside(imported: Imported) -> list[list[str]]:
    return [row for path in imported.rejects for row in csv.reader(path.open())]


async def test_given_an_import_when_it_is_run_twice_then_the_second_finds_duplicates(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    first = await run(gateway, order(tmp_path))
    second = await run(gateway, order(tmp_path))
    assert first.tallies == {"members": Tally(created=10)}
    assert second.tallies == {"members": Tally(duplicate=10)}
    assert len(sent(fake)) == 20
    assert not first.rejects


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
async def test_given_a_kill_between_batches_when_it_is_run_again_then_it_goes_on_behind_the_last_one(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path, batches: int
) -> None:
    bad = "10,member10,never\n"
    fake.answers, fake.refused = batches, {"1": ("username", "is taken"), "8": ("username", "is taken")}
    with pytest.raises(KeyboardInterrupt):
        await run(gateway, order(tmp_path, extra=bad))
    fake.answers = 10**9
    imported = await run(gateway, order(tmp_path, extra=bad))
    assert imported.resumed_at_batch == batches
    assert sent(fake) == [str(number) for number in range(10)]
    assert imported.tallies == {"members": Tally(created=8, rejected=3)}
    assert imported.rows == 10 - 3 * batches
    assert [row[1] for row in set_aside(imported)] == ["reject_line", "12", "3", "10"]


async def test_given_a_kill_after_the_answer_but_before_the_journal_then_rejects_are_not_doubled(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.answers, fake.refused = 2, {"4": ("username", "is taken")}
    with pytest.raises(KeyboardInterrupt):
        await run(gateway, order(tmp_path))
    state = json.loads((tmp_path / "state.json").read_text())
    state.update(batches_done=1, reject_bytes={}, tallies={"members": {"created": 3, "duplicate": 0, "rejected": 0}})
    (tmp_path / "state.json").write_text(json.dumps(state))
    fake.answers = 10**9
    imported = await run(gateway, order(tmp_path))
    assert imported.tallies == {"members": Tally(created=7, duplicate=2, rejected=1)}
    assert len(set_aside(imported)) == 2


async def test_given_refused_items_then_they_stand_in_the_reject_file_as_they_were(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.refused = {"4": ("username", "this username is taken")}
    imported = await run(gateway, order(tmp_path, extra="x,y\n"))
    assert imported.rejected == 2
    assert set_aside(imported) == [
        ["reject_file", "reject_line", "reject_field", "reject_reason", "external_id", "username", "registered_at"],
        ["members.csv", "12", "", "has 2 fields where the header has 3", "x", "y"],
        ["members.csv", "6", "username", "this username is taken", "4", "member4", "2024-01-01T00:00:04Z"],
    ]


async def test_given_an_item_that_makes_the_whole_request_unreadable_then_only_it_is_set_aside(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.unreadable = {"4"}
    imported = await run(gateway, order(tmp_path))
    assert imported.tallies == {"members": Tally(created=9, rejected=1)}
    assert [row[1:4] for row in set_aside(imported)[1:]] == [["6", "", "the request is malformed"]]
    assert sorted(sent(fake), key=int) == [str(number) for number in range(10) if number != 4]


async def test_given_a_corrected_file_then_its_earlier_rejects_are_gone(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    assert (await run(gateway, order(tmp_path, extra="x,y\n"))).rejects
    imported = await run(gateway, order(tmp_path))
    assert not imported.rejects
    assert not list((tmp_path / "rejects").iterdir())


async def test_given_an_unfinished_import_of_other_files_then_it_is_not_mixed_up(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.answers = 1
    with pytest.raises(KeyboardInterrupt):
        await run(gateway, order(tmp_path))
    with pytest.raises(OtherImport, match="differs in: files"):
        await run(gateway, order(tmp_path, rows=11))


async def test_given_a_state_file_that_is_none_then_that_is_said(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("[]")
    with pytest.raises(BadFile, match="no state file"):
        await run(gateway, order(tmp_path))


async def test_given_an_import_then_it_ends_when_every_service_is_fresh(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.stale_answers = 7
    await run(gateway, order(tmp_path))
    assert fake.asked_after == [f"{MEMBERS}@4"] * (len(PATHS) + 7)
    assert json.loads((tmp_path / "state.json").read_text())["finished"]


async def test_given_a_fold_that_stands_still_then_the_deadline_ends_the_waiting_and_the_import_is_not_finished(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.stale_answers = 10**9
    clock = iter(range(10**6))
    with pytest.raises(StillStale, match="/v1/popular"):
        await settle(gateway, ["t"], deadline_s=50, clock=lambda: float(next(clock)))


async def test_given_a_service_that_says_nothing_about_freshness_then_that_is_an_error(gateway: Gateway) -> None:
    with pytest.raises(BadAnswer, match="fresh"):
        await settle(gateway, [""])


async def test_given_results_of_other_items_then_the_import_stops(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"external_id": "?", "status": "created", "id": "", "error_field": "", "error_reason": ""}
    monkeypatch.setattr(fake, "_result", lambda *_: one)
    with pytest.raises(BadAnswer, match="not those"):
        await run(gateway, order(tmp_path))


async def test_the_report_tells_programs_what_happened(fake: FakeGateway, gateway: Gateway, tmp_path: Path) -> None:
    report = json.loads(as_json(await run(gateway, order(tmp_path))))
    assert report["kinds"] == {"members": {"created": 10, "duplicate": 0, "rejected": 0}}
    assert report["rows"] == 10


ORDERED = "external_id,member_external_id,content_external_id,list_minor,charged_minor,currency,ordered_at\n"
PUBLISHED = "external_id,creator_external_id,title,kind,access,published_at\nc1,1,Tea,video,paid,2024-01-02T00:00:00Z\n"


def shop(folder: Path, content: str = "c1") -> Order:
    """One order of content, from before the content was published."""
    (folder / "contents.csv").write_text(PUBLISHED)
    (folder / "orders.csv").write_text(f"{ORDERED}o1,1,{content},100,100,CNY,2023-01-01T00:00:00Z\n")
    sources = [Source("orders", folder / "orders.csv"), Source("contents", folder / "contents.csv")]
    return Order("http://gateway", "d", sources, folder / "rejects", folder / "state.json")


async def test_rows_are_sent_after_what_they_name(fake: FakeGateway, gateway: Gateway, tmp_path: Path) -> None:
    """Given members, content and an order of it, then each service is told what the rows before have come to."""
    (tmp_path / "members.csv").write_text("external_id,username,registered_at\n1,ada,2022-01-01T00:00:00Z\n")
    one = shop(tmp_path)
    imported = await run(gateway, replace(one, sources=[*one.sources, Source("members", tmp_path / "members.csv")]))
    assert {kind: tally.created for kind, tally in imported.tallies.items()} == {
        "members": 1,
        "contents": 1,
        "orders": 1,
    }
    members, contents = "/v1/members:batchImport@1", "/v1/contents:batchImport@2"
    assert fake.imported_after == ["", members, f"{members},{contents}"]
    assert fake.batches[-1][1][0]["product_id"] == content_id("d", "c1")
