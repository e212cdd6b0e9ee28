"""Backups of a real PostgreSQL: complete or absent, refused where half or foreign, and brought back elsewhere."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from lyceum_local import backup, manifest, restoring
from lyceum_local import stack as stacks
from lyceum_local.errors import BackupFailed, BackupUnusable, DumpFailed, FolderTaken, HalfRestored, WouldReplace
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack

pytestmark = pytest.mark.servers

EMBEDDED = StackSettings(docker=False, postgres_url=None, kafka_bootstrap=None)


@pytest.fixture
def filled(stack: LocalStack) -> LocalStack:
    """With a key, and rows of two services."""
    (stack.around.key_dir("billing") / "quote.key").write_bytes(b"secret")
    for service in ("billing", "catalog"):
        with psycopg.connect(stack.database_url(service), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (id int PRIMARY KEY)")
            connection.execute("TRUNCATE kept")
            connection.execute("INSERT INTO kept SELECT generate_series(1, 100)")
    return stack


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service, simulator or gateway is installed: PostgreSQL and Kafka only."""
    for module in (stacks, restoring):
        monkeypatch.setattr(module, "find_spec", lambda _: None)


def ids(stack: LocalStack, service: str) -> list[int]:
    with psycopg.connect(stack.database_url(service)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM kept ORDER BY id")]


def test_given_services_that_write_when_all_is_saved_then_the_dump_is_one_moment_of_both(
    filled: LocalStack, tmp_path: Path, bare: None
) -> None:
    ended = threading.Event()

    def write() -> None:
        with (
            psycopg.connect(filled.database_url("billing"), autocommit=True) as first,
            psycopg.connect(filled.database_url("catalog"), autocommit=True) as second,
        ):
            for number in range(101, 100_000):
                if ended.is_set():
                    return
                first.execute("INSERT INTO kept VALUES (%s)", [number])
                second.execute("INSERT INTO kept VALUES (%s)", [number])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = backup.back_up(filled, tmp_path / "saved")
    finally:
        ended.set()
        writer.join()
    again = LocalStack(tmp_path / "again", Ports.free(), prefix="t1.", settings=EMBEDDED)
    try:
        restoring.restore(again, made, force=False)
        first, second = ids(again, "billing"), ids(again, "catalog")
        assert (again.around.key_dir("billing") / "quote.key").read_bytes() == b"secret"
        assert len(second) >= 100 and len(first) - len(second) in (0, 1)
        assert first == list(range(1, len(first) + 1)) and second == list(range(1, len(second) + 1))
        with (
            psycopg.connect(again.database_url("billing"), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT * FROM catalog.kept")
    finally:
        again.down()


def test_given_an_instance_in_use_when_it_is_restored_then_it_must_be_asked_for_and_the_old_one_is_kept(
    filled: LocalStack, tmp_path: Path, bare: None
) -> None:
    made = backup.back_up(filled, tmp_path / "saved")
    other = LocalStack(tmp_path / "other", Ports.free(), prefix="t1.", settings=EMBEDDED)
    try:
        other.start_postgres()
        with psycopg.connect(other.database_url("billing"), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS id")
        with pytest.raises(WouldReplace, match=r"postgres is there already.*FORCE=1"):
            restoring.restore(other, made, force=False)
        assert ids(other, "billing") == [7]

        restoring.restore(other, made, force=True)

        assert ids(LocalStack(other.data_dir, other.ports, prefix="t1.", settings=EMBEDDED), "billing")[-1] == 100
        [kept] = (other.data_dir / restoring.REPLACED).iterdir()
        assert (kept / "postgres" / "PG_VERSION").exists() and (kept / "passwords.json").exists()
    finally:
        other.down()


def test_given_a_server_of_ones_own_when_it_is_restored_into_then_its_old_database_has_another_name(
    filled: LocalStack, tmp_path: Path, bare: None
) -> None:
    made = backup.back_up(filled, tmp_path / "saved")
    given = StackSettings(docker=False, postgres_url=filled.admin_url, kafka_bootstrap=filled.kafka_bootstrap)
    other = LocalStack(tmp_path / "other", Ports.free(), prefix="t1.", settings=given)
    with psycopg.connect(filled.database_url("billing"), autocommit=True) as connection:
        connection.execute("INSERT INTO kept VALUES (101)")
    try:
        with pytest.raises(WouldReplace, match="the database lyceum_t1"):
            restoring.restore(other, made, force=False)
        restoring.restore(other, made, force=True)
        assert ids(other, "billing")[-1] == 100
        with psycopg.connect(filled.admin_url) as server:
            names = [row[0] for row in server.execute("SELECT datname FROM pg_database")]
        assert any(name.startswith("lyceum_t1_replaced_") for name in names)
    finally:
        other.down()
        filled.forget_databases()  # the other instance gave the roles its passwords


def without_manifest(folder: Path) -> None:
    (folder / manifest.FILE).unlink()


def cut_short(folder: Path) -> None:
    os.truncate(folder / manifest.DATABASE, 100)


def one_bit(folder: Path) -> None:
    file = folder / "keys" / "billing" / "quote.key"
    file.write_bytes(b"Secret")


def of_another_kind(folder: Path) -> None:
    file = folder / manifest.FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}))


def no_json(folder: Path) -> None:
    (folder / manifest.FILE).write_text("{")


def of_another_instance(folder: Path) -> None:
    file = folder / manifest.FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "prefix": "t2."}))


def a_file_less(folder: Path) -> None:
    (folder / "passwords.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_manifest, "never finished"),
        (cut_short, r"database.dump is not as it was written"),
        (one_bit, r"quote.key is not as it was written"),
        (of_another_kind, "of the kind 'lyceum-backup' 99"),
        (no_json, "cannot be read"),
        (of_another_instance, r"prefix 't2\.'"),
        (a_file_less, r"passwords.json is missing"),
    ],
)
def test_given_a_backup_that_is_half_or_foreign_when_it_is_restored_then_it_is_refused_and_nothing_changes(
    filled: LocalStack, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    made = backup.back_up(filled, tmp_path / "saved")
    spoil(made)
    target = LocalStack(tmp_path / "target", Ports.free(), prefix="t1.", settings=EMBEDDED)
    with pytest.raises(BackupUnusable, match=says):
        restoring.restore(target, made, force=True)
    assert not target.data_dir.exists()


def test_given_a_folder_that_is_there_when_all_is_saved_then_it_is_refused(filled: LocalStack, tmp_path: Path) -> None:
    with pytest.raises(FolderTaken, match=r"make backup TO="):
        backup.back_up(filled, tmp_path)


def test_given_a_dump_that_fails_when_all_is_saved_then_nothing_is_left(
    filled: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.dumping.COMPRESSION", "none such")
    with pytest.raises(DumpFailed, match=r"pg_dump failed.*none such"):
        backup.back_up(filled, tmp_path / "saved")
    monkeypatch.undo()
    monkeypatch.setattr(manifest, "write", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(BackupFailed, match="no space left"):
        backup.back_up(filled, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_given_a_backup_when_its_rights_are_looked_at_then_others_read_nothing(
    filled: LocalStack, tmp_path: Path
) -> None:
    made = backup.back_up(filled, tmp_path / "saved")
    assert made.stat().st_mode & 0o077 == 0
    saved = manifest.read(made)
    assert {"database.dump", "passwords.json", "keys/billing/quote.key"} <= set(saved.files) and saved.postgres


def test_given_a_restore_that_did_not_end_when_the_stack_is_started_then_it_is_refused_until_it_has(
    filled: LocalStack, tmp_path: Path, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backup.back_up(filled, tmp_path / "saved")
    target = LocalStack(tmp_path / "target", Ports.free(), prefix="t1.", settings=EMBEDDED)
    try:
        monkeypatch.setattr("lyceum_local.dumping.binaries", lambda: tmp_path)
        with pytest.raises(FileNotFoundError):
            restoring.restore(target, made, force=False)
        monkeypatch.undo()
        for module in (stacks, restoring):
            monkeypatch.setattr(module, "find_spec", lambda _: None)
        with pytest.raises(HalfRestored, match=rf"make restore FROM={made} FORCE=1"):
            target.up()
        restoring.restore(target, made, force=False)
        assert ids(target, "billing")[-1] == 100
        target.up()
    finally:
        target.down()
