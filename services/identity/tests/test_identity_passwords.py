"""Passwords: sealed where they are kept, and telling nothing by the time that they take."""

from __future__ import annotations

from typing import Any

import pytest
from identity_house import IMPORTER, PASSWORD, IdentityHouse, claim, code_for, erase, importing, weaken

from contracts.external_ids import imported_id
from eventfold import Sealed
from eventfold.sealing.keys import KeyEncryptionKey
from identity.adapters.passwords import Passwords
from identity.application.password_hashes import PasswordHashes
from identity.application.sessions import LogInFailed
from identity.domain.member import MEMBER, WrongCode
from servicekit.testing import refused


async def test_nothing_personal_or_secret_is_in_the_database_in_plain(house: IdentityHouse) -> None:
    await house.register("Karoline", email="karo@example.org", phone="+4912345678")
    await house.log_in("Karoline")
    tables = ("SELECT t::text FROM events t", "SELECT t::text FROM idempotency t", "SELECT t::text FROM subject_key t")
    text = str([await house.rows(table) for table in tables]).lower()
    assert "password_hash" in text
    assert not [word for word in ("karoline", "karo@example", "4912345678", PASSWORD, "argon2") if word in text]


async def test_password_hashes_of_every_origin_are_sealed_and_open_for_their_member(house: IdentityHouse) -> None:
    """Given a password registered, claimed and renewed, then each event holds a box that opens to an Argon2id hash."""
    await house.register("origin-1")
    await house.call(importing("origin-2"), IMPORTER)
    await house.call(claim("origin-2", await code_for(house, "origin-2")))
    member_id = (await house.log_in("origin-1")).member_id
    await weaken(house, member_id)
    await house.log_in("origin-1")
    query = "SELECT type, data->'password_hash' FROM events WHERE data->>'password_hash' IS NOT NULL ORDER BY position"
    stored = await house.rows(query)
    assert [name.removeprefix("member.") for name, _ in stored] == [
        "registered",
        "claimed",
        "password_rehashed",
        "password_rehashed",
    ]
    boxes = [Sealed(**box) for _, box in stored]
    async with house.wiring.pool.connection() as conn:
        keys = await house.wiring.subject_keys.get(conn, [box.subject_id for box in boxes])
    assert all(keys[box.subject_id].open(box).startswith("$argon2id$") for box in boxes)
    assert {box.subject_id for box in boxes} == {member_id, imported_id("member", "d", "0")}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The costly steps that were taken, in order."""
    taken: list[str] = []

    def count(owner: Any, method: str) -> None:
        original = getattr(owner, method)

        def counted(*given: Any) -> Any:
            taken.append(method)
            return original(*given)

        monkeypatch.setattr(owner, method, counted)

    count(KeyEncryptionKey, "unwrap")
    count(Passwords, "_fits")
    return taken


@pytest.mark.parametrize("name", ["claimed", "unclaimed", "unknown", "erased"])
async def test_a_failed_log_in_takes_the_same_work_whoever_is_meant(
    house: IdentityHouse, work: list[str], name: str
) -> None:
    await house.register("claimed")
    await house.register("erased")
    await house.call(importing("unclaimed"), IMPORTER)
    await erase(house, (await house.log_in("erased")).member_id)
    work.clear()
    await refused(house.log_in(name, "not the one"), LogInFailed)
    assert work == ["unwrap", "_fits"]


async def test_whose_key_is_destroyed_cannot_log_in_with_the_right_password(house: IdentityHouse) -> None:
    await house.register("gone-1")
    await erase(house, (await house.log_in("gone-1")).member_id)
    await refused(house.log_in("gone-1"), LogInFailed)


async def test_an_account_whose_key_is_destroyed_is_not_claimed_and_says_no_more_than_one_unknown(
    house: IdentityHouse,
) -> None:
    await house.call(importing("gone-2"), IMPORTER)
    code = await code_for(house, "gone-2")
    await erase(house, imported_id("member", "d", "0"))
    refusals = [await refused(house.call(claim(name, code)), WrongCode) for name in ("gone-2", "unknown")]
    assert len({(type(one), str(one)) for one in refusals}) == 1


async def test_nobody_is_not_an_account_although_it_has_a_key(house: IdentityHouse) -> None:
    await refused(house.log_in("unknown", "nobody has a password"), LogInFailed)
    assert not await house.rows("SELECT 1 FROM events")


async def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_log_in(house: IdentityHouse) -> None:
    await house.register("old")
    member_id = (await house.log_in("old")).member_id
    await weaken(house, member_id)
    await house.log_in("old")
    hashes = PasswordHashes(house.wiring.pool, house.wiring.subject_keys)
    encoded = await hashes.open(await house.wiring.store.current(MEMBER.at(member_id)))
    assert encoded is not None and "m=19456,t=2" in encoded
    await house.log_in("old")
    assert await house.rows("SELECT count(*) FROM events WHERE type = 'member.password_rehashed'") == [(2,)]
