"""Imported accounts: who may, once for ever, and bad rows alone."""

from __future__ import annotations

from datetime import timedelta

from identity_house import IMPORTER, PAST, IdentityHouse, importing

from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput, NotPermitted, Unauthenticated
from servicekit.caller import Caller
from servicekit.testing import refused


async def test_imports_need_the_role(house: IdentityHouse) -> None:
    await refused(house.call(importing("x-1")), Unauthenticated)
    for role in ("consumer", "creator", "auditor"):
        await refused(house.call(importing("x-1"), Caller("m", role, "s")), NotPermitted)


async def test_an_import_run_twice_is_an_import_run_once(house: IdentityHouse) -> None:
    names = [f"member-{n}" for n in range(20)]
    first = await house.call(importing(*names), IMPORTER)
    before = await house.rows("SELECT count(*) FROM events")
    second = await house.call(importing(*names), IMPORTER)
    assert [one.status for one in first.results] == ["created"] * 20
    assert [one.status for one in second.results] == ["duplicate"] * 20
    assert [one.id for one in first.results] == [one.id for one in second.results]
    assert first.results[3].id == imported_id("member", "d", "3")
    assert await house.rows("SELECT count(*) FROM events") == before


async def test_even_an_import_that_changed_nothing_answers_with_a_token_to_wait_for(house: IdentityHouse) -> None:
    first = await house.call(importing("a-1"), IMPORTER)
    assert (await house.call(importing("a-1"), IMPORTER)).consistency_token == first.consistency_token != ""


async def test_bad_rows_are_refused_alone_and_named(house: IdentityHouse) -> None:
    await house.register("taken")
    request = importing("good", "no", "TAKEN", "late")
    request.items[3].registered_at.FromDatetime(house.now + timedelta(days=1))
    results = (await house.call(request, IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [
        ("created", ""),
        ("rejected", "username"),
        ("rejected", "username"),
        ("rejected", "registered_at"),
    ]
    assert not any(one.id for one in results[1:])


async def test_an_import_may_not_hand_out_power_nor_be_unbounded(house: IdentityHouse) -> None:
    assert (await house.call(importing("boss-1", role="admin"), IMPORTER)).results[0].error_field == "role"
    await refused(house.call(importing(), IMPORTER), InvalidInput)
    await refused(house.call(importing(*(f"n-{n}" for n in range(501))), IMPORTER), InvalidInput)


async def test_an_imported_account_keeps_its_past_date(house: IdentityHouse) -> None:
    await house.call(importing("old-hand"), IMPORTER)
    query = "SELECT occurred_at, meta->>'backfill', meta->>'actor' FROM events WHERE type = 'member.registered'"
    assert await house.rows(query) == [(PAST, "true", "boss")]
