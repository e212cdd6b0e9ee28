"""What the doctor finds in the store: its tables, its sequence, its types, its keys, and what waits in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from examined import BOOKS, change, of, only_complaint
from house import House, context
from relaying import eventually, everything_acknowledged, relaying
from shelf import COUNTING, CountRow, add

from eventfold import EventCodec, FoldGroup, ReadTable
from eventfold.sealing.keys import KeyEncryptionKey
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor import numbering
from eventfold_ops.doctor.examining import examine


async def test_a_missing_table_is_named(house: House, healthy: Deployment) -> None:
    await change(house, "DROP TABLE dead_letter")
    assert "dead_letter" in (await only_complaint(healthy)).says


async def test_a_missing_event_is_found(house: House, healthy: Deployment) -> None:
    await change(house, "DELETE FROM events WHERE position = (SELECT position FROM event_sequence WHERE seq = 5)")
    found = await only_complaint(healthy, but="events on")  # where the topic holds more than the store now
    assert found.check == "sequence" and found.says == f"1 events are missing below {BOOKS}, and 0 numbers"


@pytest.mark.parametrize(
    ("how", "is_"),
    [
        ("ALTER TABLE events DISABLE TRIGGER note_unsequenced", "disabled"),
        ("ALTER TABLE events ENABLE REPLICA TRIGGER note_unsequenced", "disabled"),
        ("DROP TRIGGER note_unsequenced ON events", "missing"),
    ],
)
async def test_events_in_nobodys_queue_are_found_and_what_is_advised_queues_them_and_what_comes(
    house: House, healthy: Deployment, how: str, is_: str
) -> None:
    await change(house, how)
    await house.store.handle_batch([add("s0", f"unseen{n}") for n in range(3)], context())
    trigger, sequence = [one for one in await examine(healthy) if one.state != "ok"]
    assert (trigger.check, trigger.state) == ("trigger", "broken") and f"is {is_}" in trigger.says
    assert sequence.state == "broken" and sequence.says.startswith("3 events are in nobody's queue")
    await change(house, trigger.next_step.split("; then")[0])
    await house.store.handle(add("s0", "seen"), context())
    await change(house, sequence.next_step.split(": ", 1)[1])
    await change(house, numbering.QUEUE)  # again, as it may be
    assert await house.rows("SELECT count(*)::int FROM unsequenced") == [(4,)]
    await change(house, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 second'")
    async with relaying(house, healthy.brokers):
        await eventually(lambda: everything_acknowledged(house))
        findings = await examine(healthy)
    assert of(findings, "trigger").state == "ok"
    assert of(findings, "sequence").says == f"dense up to {BOOKS + 4}"


@pytest.mark.parametrize("unseen", [1, 3])
async def test_a_lost_event_and_those_in_nobodys_queue_are_told_apart_be_they_as_many(
    house: House, healthy: Deployment, unseen: int
) -> None:
    await change(house, "ALTER TABLE events DISABLE TRIGGER note_unsequenced")
    await house.store.handle_batch([add("s0", f"unseen{n}") for n in range(unseen)], context())
    await change(house, "ALTER TABLE events ENABLE TRIGGER note_unsequenced")
    await change(house, "DELETE FROM events WHERE position = (SELECT position FROM event_sequence WHERE seq = 5)")
    found = [one for one in await examine(healthy) if one.state != "ok"]
    said = [one.says for one in found if not one.check.startswith("events on")]  # which holds more than the store now
    assert len(said) == 2 and said[0].startswith(f"{unseen} events are in nobody's queue")
    assert said[1] == f"1 events are missing below {BOOKS}, and 0 numbers"


async def test_a_stored_type_of_a_newer_build_is_found(house: House, healthy: Deployment) -> None:
    await change(
        house,
        "UPDATE events e SET schema_version = 2 FROM event_sequence s WHERE s.position = e.position AND seq IN (3, 4)",
    )
    found = await only_complaint(healthy)
    assert found.check == "stored types" and "2 events book.added version 2" in found.says
    findings = await examine(replace(healthy, codec=EventCodec({})))
    assert [one.state for one in findings if one.check == "stored types"] == ["broken", "broken"]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE shelf_count DROP COLUMN digest", "differs in digest"),
        ("ALTER TABLE shelf_count ALTER COLUMN books TYPE integer", "differs in books"),
        ("ALTER TABLE shelf_count ALTER COLUMN books DROP NOT NULL", "differs in books"),
        ("ALTER TABLE shelf_count DROP CONSTRAINT shelf_count_pkey, ADD PRIMARY KEY (shelf, books)", "books, shelf"),
        ("DROP TABLE shelf_count", "does not exist"),
    ],
)
async def test_a_read_table_that_differs_is_found(house: House, healthy: Deployment, statement: str, says: str) -> None:
    await change(house, statement)
    found = await only_complaint(healthy)
    assert found.check == "read tables of counting" and says in found.says


async def test_a_followed_table_whose_readers_would_search_all_of_it_is_found(
    house: House, healthy: Deployment
) -> None:
    followed = replace(COUNTING, tables=(ReadTable("shelf_count", CountRow, followed=True),))
    deployed = replace(healthy, groups=(FoldGroup("shelves", (followed,), parks=True),))
    assert "differs in changed_in" in (await only_complaint(deployed)).says
    await change(house, "ALTER TABLE shelf_count ADD changed_in xid8 NOT NULL DEFAULT pg_current_xact_id()")
    assert "has no index on changed_in" in (await only_complaint(deployed)).says
    await change(house, "CREATE INDEX shelf_count_changed ON shelf_count (changed_in)")
    assert {one.state for one in await examine(deployed)} == {"ok"}


async def test_dead_letters_are_counted_with_their_age(house: House, healthy: Deployment) -> None:
    parking = """INSERT INTO dead_letter SELECT 'counting', 't', 0, n, n, 'key' || n %% 2, 'e' || n, 'bad', '{}', '',
                 clock_timestamp() - interval '3 hours' FROM generate_series(1, %s) n"""
    await change(house, parking % 5)
    found = await only_complaint(healthy)
    assert found.state == "warning" and found.says == "5 records of 2 keys parked, the oldest for 3.0 h"
    await change(house, "TRUNCATE dead_letter")
    await change(house, parking % 1000)
    assert (await only_complaint(healthy)).state == "broken"


async def test_subject_keys_under_another_key_are_found_and_destroyed_ones_are_not(
    house: House, healthy: Deployment
) -> None:
    destroyed = "INSERT INTO subject_key VALUES ('gone', NULL, 'older-key', clock_timestamp(), clock_timestamp())"
    await change(house, destroyed)
    assert "1 keys, 1 destroyed" in of(await examine(healthy), "subject keys").says
    assert of(await examine(healthy), "subject keys").state == "ok"
    await change(house, "INSERT INTO subject_key VALUES ('n', 'wrapped', 'older-key', clock_timestamp(), NULL)")
    found = await only_complaint(healthy)
    assert found.state == "broken" and "1 wrapped by older-key instead of current-key" in found.says


async def test_while_the_key_is_being_replaced_the_rest_is_a_warning(house: House, healthy: Deployment) -> None:
    await change(house, "INSERT INTO subject_key VALUES ('n', 'wrapped', 'older-key', clock_timestamp(), NULL)")
    both = frozenset({"current-key", "older-key"})
    found = await only_complaint(replace(healthy, known_kek_ids=lambda: both))
    assert found.state == "warning" and "rotate-kek" in found.next_step


async def test_where_the_key_is_not_known_keys_are_only_counted(healthy: Deployment) -> None:
    found = await only_complaint(replace(healthy, current_kek_id=lambda: None))
    assert found.check == "subject keys" and found.state == "warning"


@pytest.mark.parametrize(
    ("current", "failure"),
    [
        (lambda: KeyEncryptionKey.from_pem(b"-----BEGIN PRIVATE KEY-----\ntorn").id, "ValueError"),
        (lambda: (_ for _ in ()).throw(PermissionError("kek.pem")), "PermissionError"),
    ],
)
async def test_a_key_file_that_cannot_be_read_is_broken(healthy: Deployment, current: Any, failure: str) -> None:
    found = await only_complaint(replace(healthy, current_kek_id=current))
    assert found.check == "subject keys" and found.state == "broken" and f"cannot be read ({failure})" in found.says


DUE = """INSERT INTO due_date VALUES
('payment', 'one', clock_timestamp() + interval '{}', {}, 1, clock_timestamp(), 'c')"""


@pytest.mark.parametrize(
    ("due_in", "attempts", "state", "says"),
    [
        ("1 hour", 0, "ok", "1 streams wait, none is late"),
        ("-2 seconds", 3, "ok", "1 streams wait, none is late"),
        ("-2 minutes", 0, "broken", "1 streams are due, the oldest for 2"),
        ("1 hour", 10, "warning", "1 streams were looked at 10 times or more, payment one the most"),
    ],
)
async def test_what_is_due_and_not_looked_at_is_broken_and_what_stays_unsettled_a_warning(
    house: House, library: Deployment, due_in: str, attempts: int, state: str, says: str
) -> None:
    await change(house, DUE.format(due_in, attempts))
    found = of(await examine(library), "due dates")
    assert found.state == state and says in found.says
