"""Sealed fields: one key for each subject whoever asks first, and none for ever once it is destroyed."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from house import House
from relaying import eventually

from eventfold import DataKey, Sealed, SubjectKeys
from eventfold.errors import KeyDestroyed, NotFound
from eventfold.sealing.keys import KEPT_FOR_S, KEY_BYTES, KeyEncryptionKey

NAME = "Karoline"
PKCS8 = serialization.PrivateFormat.PKCS8
ASKED_AT_ONCE = 6


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: PrivateKeyTypes, password: bytes = b"") -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, PKCS8, protection)


@pytest.fixture(scope="module")
def keys() -> SubjectKeys:
    """The keys as one service's processes see them all."""
    return SubjectKeys(KeyEncryptionKey(rsa_key()), os.urandom)


async def ensured(house: House, keys: SubjectKeys, subject_id: str) -> DataKey:
    async with house.pool.connection() as conn:
        return (await keys.ensure(conn, [subject_id]))[subject_id]


async def found(house: House, keys: SubjectKeys, subject_id: str) -> DataKey:
    async with house.pool.connection() as conn:
        return (await keys.get(conn, [subject_id]))[subject_id]


async def destroyed(house: House, keys: SubjectKeys, subject_id: str) -> None:
    async with house.pool.connection() as conn:
        await keys.destroy(conn, subject_id)


async def kept(house: House) -> list[tuple[object, ...]]:
    return await house.rows("SELECT subject_id, wrapped IS NULL, destroyed_at FROM subject_key ORDER BY 1")


async def test_what_was_sealed_opens_under_the_key_that_is_kept(house: House, keys: SubjectKeys) -> None:
    sealed = (await ensured(house, keys, "ada")).seal("name", NAME)
    assert NAME.encode() not in base64.b64decode(sealed.box)
    assert (await found(house, keys, "ada")).open(sealed) == NAME
    assert (await ensured(house, keys, "ada")).open(sealed) == NAME
    again = (await ensured(house, keys, "ada")).seal("name", NAME)
    assert again.box != sealed.box, "a nonce is used once"


async def test_a_destroyed_key_opens_nothing_more_and_no_new_one_takes_its_place(
    house: House, keys: SubjectKeys
) -> None:
    """Given two subjects, when one's key is destroyed, then whoever asks for it, alone or with others, is told."""
    others = (await ensured(house, keys, "grace")).seal("name", NAME)
    await ensured(house, keys, "ada")
    await destroyed(house, keys, "ada")
    for ask in (keys.get, keys.ensure):
        for subject_ids in (["ada"], ["ada", "grace"]):
            async with house.pool.connection() as conn:
                with pytest.raises(KeyDestroyed, match="ada"):
                    await ask(conn, subject_ids)
    assert [row[:2] for row in await kept(house)] == [("ada", True), ("grace", False)]
    assert (await found(house, keys, "grace")).open(others) == NAME


async def test_a_key_is_destroyed_once_and_repeating_it_changes_nothing(house: House, keys: SubjectKeys) -> None:
    await ensured(house, keys, "ada")
    await destroyed(house, keys, "ada")
    first = await kept(house)
    await destroyed(house, keys, "ada")
    assert await kept(house) == first


async def test_destroying_an_unknown_subjects_key_keeps_it_from_ever_having_one(
    house: House, keys: SubjectKeys
) -> None:
    """An erasure may come before the first field is sealed: what is late must not be sealed after all."""
    with pytest.raises(NotFound, match="no key"):
        await found(house, keys, "ada")
    await destroyed(house, keys, "ada")
    with pytest.raises(KeyDestroyed):
        await found(house, keys, "ada")
    with pytest.raises(KeyDestroyed):
        await ensured(house, keys, "ada")


async def test_a_destruction_counts_only_once_the_caller_commits(house: House, keys: SubjectKeys) -> None:
    sealed = (await ensured(house, keys, "ada")).seal("name", NAME)
    async with await house.connect() as conn, conn.transaction(force_rollback=True):
        await keys.destroy(conn, "ada")
    assert (await found(house, keys, "ada")).open(sealed) == NAME


class CountingKey(KeyEncryptionKey):
    """Counts what it unwraps."""

    unwrapped = 0

    def unwrap(self, wrapped: bytes) -> bytes:
        self.unwrapped += 1
        return super().unwrap(wrapped)


async def test_a_key_asked_for_again_is_unwrapped_once_in_a_while_and_not_at_all_once_destroyed(house: House) -> None:
    now, kek = [0.0], CountingKey(rsa_key())
    keys = SubjectKeys(kek, os.urandom, lambda: now[0])
    sealed = (await ensured(house, keys, "ada")).seal("name", NAME)
    for now[0], unwrapped in ((0.0, 1), (KEPT_FOR_S - 1, 1), (KEPT_FOR_S, 2), (KEPT_FOR_S + 1, 2)):
        assert (await found(house, keys, "ada")).open(sealed) == NAME
        assert kek.unwrapped == unwrapped
    await destroyed(house, keys, "ada")
    with pytest.raises(KeyDestroyed):
        await found(house, keys, "ada")


async def test_no_more_unwrapped_keys_are_kept_than_the_bound_says(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventfold.sealing.keys.KEPT_KEYS", 2)
    kek = CountingKey(rsa_key())
    keys = SubjectKeys(kek, os.urandom)
    sealed = {name: (await ensured(house, keys, name)).seal("name", name) for name in ("ada", "grace", "mary")}
    for name, unwrapped in (("ada", 1), ("grace", 2), ("mary", 3), ("mary", 3), ("ada", 4)):
        assert (await found(house, keys, name)).open(sealed[name]) == name
        assert kek.unwrapped == unwrapped


def altered(sealed: Sealed) -> Sealed:
    box = bytearray(base64.b64decode(sealed.box))
    box[-1] ^= 1
    return replace(sealed, box=base64.b64encode(box).decode())


async def test_a_sealed_field_opens_only_where_it_was_sealed(house: House, keys: SubjectKeys) -> None:
    one, other = await ensured(house, keys, "ada"), await ensured(house, keys, "grace")
    sealed = one.seal("name", NAME)
    moved = [
        (one, replace(sealed, field="email")),
        (other, replace(sealed, subject_id="grace")),
        (one, altered(sealed)),
    ]
    for key, box in moved:
        with pytest.raises(InvalidTag):
            key.open(box)
    assert one.open(sealed) == NAME


def test_a_sealed_field_is_bound_to_its_subject_by_more_than_the_key() -> None:
    """Given two subjects with the same key bytes, then a field of one still does not open as the other's."""
    key = os.urandom(KEY_BYTES)
    sealed = DataKey("ada", key, os.urandom).seal("name", NAME)
    with pytest.raises(InvalidTag):
        DataKey("grace", key, os.urandom).open(replace(sealed, subject_id="grace"))


async def someone_waits(house: House) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO subject_key%'"
    return await house.rows(waiting) != []


async def test_a_key_that_another_process_is_making_is_waited_for_and_shared(house: House, keys: SubjectKeys) -> None:
    async with await house.connect() as conn:
        async with conn.transaction():
            first = (await keys.ensure(conn, ["ada"]))["ada"]
            asking = asyncio.create_task(ensured(house, keys, "ada"))
            await eventually(lambda: someone_waits(house))
        assert (await asking).open(first.seal("name", NAME)) == NAME
    assert [row[:2] for row in await kept(house)] == [("ada", False)]


async def test_a_connection_that_waits_for_no_lock_long_still_waits_for_a_key(house: House, keys: SubjectKeys) -> None:
    async with await house.connect() as maker, await house.connect() as impatient:
        await impatient.execute("SET lock_timeout = 20")
        async with maker.transaction():
            await keys.ensure(maker, ["ada"])
            asking = asyncio.create_task(keys.ensure(impatient, ["ada"]))
            done, _ = await asyncio.wait([asking], timeout=0.2)
            assert not done
        assert list(await asking) == ["ada"]


async def test_a_key_whose_maker_rolled_back_is_made_by_the_one_who_waited(house: House, keys: SubjectKeys) -> None:
    async with await house.connect() as conn:
        async with conn.transaction(force_rollback=True):
            lost = (await keys.ensure(conn, ["ada"]))["ada"].seal("name", NAME)
            asking = asyncio.create_task(ensured(house, keys, "ada"))
            await eventually(lambda: someone_waits(house))
        sealed = (await asking).seal("name", NAME)
    assert (await found(house, keys, "ada")).open(sealed) == NAME
    with pytest.raises(InvalidTag):
        (await found(house, keys, "ada")).open(lost)


async def test_a_key_that_is_being_destroyed_is_not_made_meanwhile(house: House, keys: SubjectKeys) -> None:
    async with await house.connect() as conn:
        async with conn.transaction():
            await keys.destroy(conn, "ada")
            asking = asyncio.create_task(ensured(house, keys, "ada"))
            await eventually(lambda: someone_waits(house))
        with pytest.raises(KeyDestroyed):
            await asking


async def test_all_who_ask_for_new_subjects_at_once_get_the_same_keys(house: House, keys: SubjectKeys) -> None:
    """Given the same subjects asked for in any order, then everybody ends with what is kept, and nobody deadlocks."""
    subjects = [f"subject-{n}" for n in range(ASKED_AT_ONCE)]

    async def ask(n: int) -> dict[str, DataKey]:
        async with await house.connect() as conn, conn.transaction():
            return await keys.ensure(conn, reversed(subjects[n:] + subjects[:n]))

    answers = await asyncio.gather(*(ask(n) for n in range(ASKED_AT_ONCE)))
    for subject_id in subjects:
        sealed = (await found(house, keys, subject_id)).seal("name", NAME)
        assert [answer[subject_id].open(sealed) for answer in answers] == [NAME] * ASKED_AT_ONCE


async def test_a_key_that_was_wrapped_by_another_is_refused_and_stays(house: House, keys: SubjectKeys) -> None:
    sealed = (await ensured(house, keys, "ada")).seal("name", NAME)
    others = SubjectKeys(KeyEncryptionKey(rsa_key()), os.urandom)
    for asked in (found, ensured):
        with pytest.raises(ValueError, match="ecryption failed"):
            await asked(house, others, "ada")
    assert (await found(house, keys, "ada")).open(sealed) == NAME


def test_a_key_encryption_key_is_read_from_its_file_and_known_by_its_public_part() -> None:
    key, wrapping = rsa_key(), KeyEncryptionKey
    read = wrapping.from_pem(pem(key))
    assert read.id == wrapping(key).id != wrapping(rsa_key()).id
    assert read.unwrap(wrapping(key).wrap(b"data key")) == b"data key"


@pytest.mark.parametrize("given", [b"", b"no key", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_what_is_no_rsa_key_is_refused_as_a_key_encryption_key(given: bytes) -> None:
    with pytest.raises(ValueError):
        KeyEncryptionKey.from_pem(given)


def test_a_key_under_a_password_is_refused_as_a_key_encryption_key() -> None:
    with pytest.raises(ValueError):
        KeyEncryptionKey.from_pem(pem(rsa_key(), b"password"))
