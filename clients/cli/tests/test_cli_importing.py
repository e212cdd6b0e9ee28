"""A whole import against a gateway in memory: repetition, interruption, rejection, freshness."""

from __future__ import annotations

import csv
import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fake_gateway import FakeGateway

from lyceum_cli.errors import BadAnswer, BadFile, CannotWrite, Held, OtherImport, StillStale
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.holding import held
from lyceum_cli.importing.ids import content_id
from lyceum_cli.importing.journal import Tally
from lyceum_cli.importing.known import RECORD_BYTES
from lyceum_cli.importing.reading import Format, Source
from lyceum_cli.importing.running import Imported, Order, run
from lyceum_cli.importing.sending import FOLLOWING_PAUSES_S, OTHERWISE
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
PUBLISHED = "external_id,creator_external_id,title,kind,published_at\nc1,1,Tea,video,2024-01-02T00:00:00Z\n"


def shop(folder: Path, content: str = "c1") -> Order:
    """One order of content, from before the content was published."""
    (folder / "contents.csv").write_text(PUBLISHED)
    (folder / "orders.csv").write_text(f"{ORDERED}o1,1,{content},100,100,CNY,2023-01-01T00:00:00Z\n")
    sources = [Source("orders", folder / "orders.csv"), Source("contents", folder / "contents.csv")]
    return Order("http://gateway", "d", sources, folder / "rejects", folder / "state.json")


@pytest.mark.parametrize("refusals", [0, 1, len(FOLLOWING_PAUSES_S)])
async def test_given_content_that_is_not_for_sale_yet_then_its_order_is_sent_again(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path, refusals: int
) -> None:
    fake.not_for_sale = {"o1": refusals}
    imported = await run(gateway, shop(tmp_path))
    assert imported.tallies == {"contents": Tally(created=1), "orders": Tally(created=1)}
    assert [path for path, _ in fake.batches] == ["/v1/contents:batchImport"] + ["/v1/orders:batchImport"] * (
        refusals + 1
    )
    assert fake.batches[-1][1][0]["product_id"] == content_id("d", "c1")


async def test_given_content_that_never_comes_then_its_order_is_refused_after_a_while(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.not_for_sale = {"o1": 10**9, "o2": 10**9}
    one = shop(tmp_path)
    with one.sources[0].path.open("a") as file:
        file.write("o2,1,c1,100,100,CNY,2023-01-02T00:00:00Z\n")
    imported = await run(gateway, replace(one, batch_items=1))
    assert imported.tallies["orders"] == Tally(rejected=2)
    assert len(fake.batches) == 1 + (1 + len(FOLLOWING_PAUSES_S)) + 1, "the second order does not wait again"
    assert [row[2:4] for row in set_aside(imported)[1:]] == [["product_id", "neither a product nor content"]] * 2


@pytest.mark.parametrize("content", ["elsewhere", "c1"])
async def test_given_content_that_this_import_does_not_bring_then_its_order_is_refused_at_once(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path, content: str
) -> None:
    fake.not_for_sale = {"o1": 10**9}
    if content == "c1":
        fake.refused = {"c1": ("title", "is none")}
    imported = await run(gateway, shop(tmp_path, content))
    assert imported.tallies["orders"] == Tally(rejected=1)
    assert len(fake.batches) == 2


async def test_given_an_import_that_is_under_way_then_the_same_one_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    one = order(tmp_path)
    with held(one.state), pytest.raises(Held, match=f"process {os.getpid()} on"):
        await run(gateway, one)
    assert (await run(gateway, one)).tallies == {"members": Tally(created=10)}


async def test_given_files_written_another_way_then_an_unfinished_import_is_another_one(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    fake.answers = 1
    with pytest.raises(KeyboardInterrupt):
        await run(gateway, order(tmp_path))
    with pytest.raises(OtherImport, match="differs in: form"):
        await run(gateway, replace(order(tmp_path), form=Format(encoding="gbk")))


def renamed(folder: Path) -> Order:
    """As `order`, but for one row that says something else under its old external id."""
    one = order(folder)
    path = one.sources[0].path
    path.write_text(path.read_text().replace("4,member4", "4,another"))
    return one


async def test_given_an_id_of_an_earlier_import_with_another_row_then_it_is_refused_and_again_so(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    await run(gateway, order(tmp_path))
    for _ in range(2):
        imported = await run(gateway, renamed(tmp_path))
        assert imported.tallies == {"members": Tally(duplicate=9, rejected=1)}
        assert [row[1:4] for row in set_aside(imported)[1:]] == [["6", "external_id", OTHERWISE]]
    assert (await run(gateway, order(tmp_path))).tallies == {"members": Tally(duplicate=10)}


async def test_given_a_community_that_begins_anew_then_rows_of_the_one_before_stand_in_nobodys_way(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    await run(gateway, order(tmp_path))
    fake.known.clear()
    assert (await run(gateway, renamed(tmp_path))).tallies == {"members": Tally(created=10)}
    assert (await run(gateway, renamed(tmp_path))).tallies == {"members": Tally(duplicate=10)}


async def test_given_a_record_that_was_cut_off_then_the_others_still_tell(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    await run(gateway, order(tmp_path))
    file = tmp_path / "state.json.known"
    file.write_bytes(file.read_bytes()[:-5])
    assert (await run(gateway, renamed(tmp_path))).rejected == 1
    assert (await run(gateway, renamed(tmp_path))).rejected == 1
    assert len(file.read_bytes().split(b"\n", 1)[1]) == 10 * RECORD_BYTES


async def test_given_rows_of_which_the_first_counts_then_the_others_are_duplicates_each_time(
    fake: FakeGateway, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("id,day\n1,1\n1,2\n")
    (tmp_path / "map.toml").write_text(
        '[members.people]\nrepeated = "first"\nexternal_id = "{id}"\nusername = "u{id}"\n'
        'registered_at = "2024-01-0{day}T00:00:00Z"\n'
    )
    one = replace(order(tmp_path), sources=[Source("members", tmp_path / "people.csv")], mapping=tmp_path / "map.toml")
    assert (await run(gateway, one)).tallies == {"members": Tally(created=1, duplicate=1)}
    assert (await run(gateway, one)).tallies == {"members": Tally(duplicate=2)}


@pytest.mark.parametrize("place", ["state", "rejects"])
async def test_given_a_place_that_takes_no_file_then_that_is_said(gateway: Gateway, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    one, odd = order(tmp_path, extra="x,y\n"), tmp_path / "file" / place
    one = replace(one, state=odd) if place == "state" else replace(one, rejects=odd)
    with pytest.raises(CannotWrite, match=f"file/{place}.*cannot be written: (Not a directory|File exists)"):
        await run(gateway, one)


async def test_given_a_state_file_without_room_then_that_is_said(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match=r"state\.json cannot be written: No space left on device"):
        await run(gateway, order(tmp_path))
    with pytest.raises(CannotWrite, match=r"1-members\.rejects\.csv cannot be written: No space left on device"):
        await run(gateway, order(tmp_path, extra="x,y\n"))
    monkeypatch.undo()
    assert (await run(gateway, order(tmp_path, extra="x,y\n"))).tallies == {"members": Tally(created=10, rejected=1)}
