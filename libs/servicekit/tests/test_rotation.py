"""Keys are replaced step by step, over any kill, and what was made with the old ones counts for as long as it must."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eventfold import Pool, SubjectKeys
from eventfold.postgres import schema
from eventfold.sealing.keys import KeyEncryptionKeys
from eventfold.sealing.rewrapping import rewrap
from servicekit import database, key_commands, keys
from servicekit.keyring import RELOAD_S, KeyRing
from servicekit.rotation import SPARE_S, KeyKind, Rotation

KNOWN_AFTER_S, NEEDED_S, LONG_S = 100.0, 1000.0, 10_000.0
SUBJECTS = [f"m{n}" for n in range(7)]


class Killed(Exception):
    """Stands for the end of the process."""


@dataclass
class Operator:
    """Runs rotations over a folder, on a clock that moves when it sleeps."""

    folder: Path
    now: float = 1_000_000.0
    said: list[str] = field(default_factory=list)
    made: Iterator[int] = field(default_factory=lambda: iter(range(1, 100)))

    def ring(self) -> KeyRing:
        return KeyRing(self.folder, "k.key", lambda: b"key %d" % next(self.made), lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def rotate(self, wait_s: float = LONG_S, **kind: Any) -> bool:
        made = KeyKind("k", "k.key", lambda: b"", KNOWN_AFTER_S, NEEDED_S, **kind)
        return Rotation(made, self.ring(), self.said.append, wait_s, lambda: self.now, self.sleep).run()

    def states(self) -> list[tuple[str, bytes]]:
        return [(key.state, key.content) for key in self.ring().stored()]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    one = Operator(tmp_path / "keys")
    assert one.ring().keys() == (b"key 1",)
    return one


def test_the_next_key_is_known_before_it_is_used_and_the_old_as_long_as_it_is_needed(operator: Operator) -> None:
    server = operator.ring()
    assert server.keys() == (b"key 1",) and not operator.rotate(0)
    operator.sleep(RELOAD_S)
    assert server.keys() == (b"key 1", b"key 2"), "without a restart"
    operator.sleep(KNOWN_AFTER_S - RELOAD_S)
    assert not operator.rotate(0) and operator.states()[0] == ("current", b"key 1")
    operator.sleep(SPARE_S)
    assert not operator.rotate(0)
    operator.sleep(RELOAD_S)
    assert server.keys() == (b"key 2", b"key 1")
    assert not operator.rotate(NEEDED_S - RELOAD_S) and operator.states()[-1] == ("old", b"key 1")
    operator.sleep(NEEDED_S + SPARE_S)
    assert operator.rotate(0) and operator.states() == [("current", b"key 2")]
    operator.sleep(RELOAD_S)
    assert server.keys() == (b"key 2",)


def test_one_run_that_may_wait_does_all_of_it_and_says_what_it_waits_for(operator: Operator) -> None:
    assert operator.rotate() and operator.states() == [("current", b"key 2")]
    assert [line.split()[0] for line in operator.said] == ["the", "waits", "the", "waits", "waits", "the"]


@pytest.mark.parametrize("step", ["publish", "promote", "retire"])
def test_a_rotation_that_was_killed_is_finished_by_the_next_run(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    place: dict[str, tuple[Any, str]] = {
        "publish": (os, "link"),
        "promote": (Path, "replace"),
        "retire": (KeyRing, "retire"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*place[step], killed)
        with pytest.raises(Killed):
            operator.rotate()
    assert operator.ring().keys()[0] in (b"key 1", b"key 2"), "there is no moment without a current key"
    assert operator.rotate()
    [(state, content)] = operator.states()
    assert state == "current" and content != b"key 1"


def test_an_old_key_stays_while_anything_is_under_it(operator: Operator) -> None:
    left = [3, 0]
    assert not operator.rotate(settle=lambda: left.pop(0)) and operator.states()[-1][0] == "old"
    assert operator.rotate(settle=lambda: left.pop(0))


def test_a_folder_that_is_out_of_reach_for_a_moment_changes_nothing(operator: Operator) -> None:
    server = operator.ring()
    known = server.keys()
    operator.folder.rename(operator.folder.with_suffix(".away"))
    operator.folder.write_text("not a folder")
    operator.sleep(RELOAD_S)
    assert server.keys() == known


def ring_of(folder: Path) -> KeyRing:
    return KeyRing(folder, "kek.pem", keys.rsa_pem)


def subject_keys(ring: KeyRing) -> SubjectKeys:
    return SubjectKeys(KeyEncryptionKeys(ring.keys, ring.reload), os.urandom)


@pytest.fixture
async def pool(postgres_url: str) -> Any:
    async with await database.connect(postgres_url) as admin:
        await admin.execute("DROP SCHEMA IF EXISTS rotating CASCADE")
        await admin.execute("CREATE SCHEMA rotating")
        await admin.execute("SET search_path = rotating")
        for statement in schema.all_statements():
            await admin.execute(statement.encode())
    async with database.make_pool(f"{postgres_url}?options=-csearch_path%3Drotating", 2) as one:
        yield one


async def test_subject_keys_are_wrapped_anew_and_readable_in_every_process_all_along(
    pool: Pool, tmp_path: Path
) -> None:
    ring = ring_of(tmp_path)
    server = subject_keys(ring_of(tmp_path))
    async with pool.connection() as conn:
        made = await server.ensure(conn, SUBJECTS)
        sealed = {subject: key.seal("name", subject) for subject, key in made.items()}
        await server.destroy(conn, SUBJECTS[0])
        ring.publish(1)
        ring.promote(next(key for key in ring.stored() if key.state == "next"), 2)
        ring.reload()
        newcomer = (await subject_keys(ring).ensure(conn, ["new"]))["new"].seal("name", "new")
        opened = (await server.get(conn, ["new"]))["new"]
        assert opened.open(newcomer) == "new", "though that process has not looked for five seconds"
        assert await rewrap(conn, KeyEncryptionKeys(ring.keys, ring.reload), 2, lambda _: None) == 0
        ring.retire(next(key for key in ring.stored() if key.state == "old"))
        found = await subject_keys(ring_of(tmp_path)).get(conn, SUBJECTS[1:])
        assert [found[subject].open(sealed[subject]) for subject in SUBJECTS[1:]] == SUBJECTS[1:]
        cursor = await conn.execute("SELECT count(*) FROM subject_key WHERE wrapped IS NULL")
        assert await cursor.fetchone() == (1,), "what was destroyed stays so"


async def test_keys_that_nothing_opens_are_counted_and_left(pool: Pool, tmp_path: Path) -> None:
    elsewhere, here = ring_of(tmp_path / "lost"), ring_of(tmp_path / "here")
    async with pool.connection() as conn:
        await subject_keys(elsewhere).ensure(conn, SUBJECTS)
        said: list[str] = []
        assert await rewrap(conn, KeyEncryptionKeys(here.keys, here.reload), 3, said.append) == len(SUBJECTS)
        assert "cannot be opened" in said[-1]


def test_two_rotations_do_not_meet(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    with key_commands._alone(tmp_path, parser), pytest.raises(SystemExit), key_commands._alone(tmp_path, parser):
        raise AssertionError("never entered")
