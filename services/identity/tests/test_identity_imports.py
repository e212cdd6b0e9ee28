"""Imported accounts: who may, once for ever, and bad rows alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
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


def named(*names: str) -> Any:
    """One external id under several names."""
    request = importing(*names)
    for item in request.items:
        item.external_id = "same"
    return request


async def owners(house: IdentityHouse) -> int:
    return int((await house.rows("SELECT count(*) FROM events WHERE type = 'username.claimed'"))[0][0])


async def test_an_external_id_is_one_account_under_one_name(house: IdentityHouse) -> None:
    results = (await house.call(named("first", "second", "first"), IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [
        ("created", ""),
        ("rejected", "external_id"),
        ("duplicate", ""),
    ]
    again = (await house.call(named("third", "First"), IMPORTER)).results
    assert [(one.status, one.error_field) for one in again] == [("rejected", "external_id"), ("duplicate", "")]
    assert await owners(house) == 1


async def test_an_external_id_is_one_account_whatever_arrives_at_once(house: IdentityHouse) -> None:
    answers = await asyncio.gather(*(house.call(named(f"name-{n}"), IMPORTER) for n in range(8)))
    statuses = [answer.results[0].status for answer in answers]
    assert sorted(statuses) == ["created", *["rejected"] * 7]
    assert await owners(house) == 1


@pytest.mark.parametrize("name", ["admin", "Root", "a-d-m-i-n", "r00t", "管理员", "官方", "---", "___"])
async def test_names_that_would_pass_for_the_platforms_own_are_refused(house: IdentityHouse, name: str) -> None:
    assert (await house.call(importing(name), IMPORTER)).results[0].error_field == "username"
    assert (await refused(house.register(name), InvalidInput)).field == "username"
