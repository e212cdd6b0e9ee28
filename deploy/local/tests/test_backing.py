"""The embedded PostgreSQL and Kafka for real: first start, restart after a crash, and the walls between services."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from lyceum_local import kafka, postgres
from lyceum_local.errors import KafkaNotFormatted
from lyceum_local.settings import StackSettings
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import poll

WAIT_S = 60.0


def test_given_a_running_stack_when_it_is_started_again_then_the_same_processes_stay(stack: LocalStack) -> None:
    before = {name: state.pid for name, state in stack.states().items()}
    stack.start_backing()
    assert {name: state.pid for name, state in stack.states().items()} == before


def test_given_a_fresh_server_when_it_is_asked_then_it_keeps_its_promises(stack: LocalStack) -> None:
    with psycopg.connect(stack.admin_url) as connection:
        for name, value in {"fsync": "on", "max_connections": "200", "TimeZone": "UTC"}.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)


def test_given_no_password_when_the_server_is_asked_then_it_refuses(stack: LocalStack) -> None:
    complaint = postgres.complaint(f"postgresql://{postgres.ADMIN}@127.0.0.1:{stack.ports.postgres}/postgres")
    assert complaint is not None
    assert "password" in complaint


def test_given_two_services_when_one_reaches_for_the_other_then_it_is_refused(stack: LocalStack) -> None:
    with psycopg.connect(stack.database_url("billing"), autocommit=True) as billing:
        billing.execute("CREATE TABLE IF NOT EXISTS orders (id int)")
        assert billing.execute("SELECT current_schema()").fetchone() == ("billing",)
    with psycopg.connect(stack.database_url("identity"), autocommit=True) as identity:
        for forbidden in (
            "SELECT * FROM billing.orders",
            "CREATE TABLE billing.mine (id int)",
            "CREATE TABLE billing_shadow.mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "CREATE SCHEMA mine",
            "SET ROLE t1_billing",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                identity.execute(forbidden)


def test_given_a_service_when_it_rebuilds_then_it_has_a_second_schema_of_its_own(stack: LocalStack) -> None:
    with psycopg.connect(stack.database_url("catalog"), autocommit=True) as catalog:
        catalog.execute("CREATE TABLE IF NOT EXISTS shown (id int)")
        catalog.execute("CREATE TABLE catalog_shadow.shown (LIKE catalog.shown INCLUDING ALL)")
        catalog.execute("DROP TABLE catalog.shown")
        catalog.execute("ALTER TABLE catalog_shadow.shown SET SCHEMA catalog")
        catalog.execute("DROP TABLE catalog.shown")


def test_given_a_role_when_it_is_made_again_then_its_url_and_tables_are_the_same(stack: LocalStack) -> None:
    first = stack.database_url("catalog")
    again = LocalStack(stack.data_dir, stack.ports, prefix="t1.", settings=stack.settings).database_url("catalog")
    assert again == first
    assert postgres.complaint(again) is None


def test_given_a_crash_of_everything_when_the_stack_starts_again_then_data_is_there(stack: LocalStack) -> None:
    with psycopg.connect(stack.database_url("reco"), autocommit=True) as connection:
        connection.execute("CREATE TABLE factors (id int)")
    pids = [stack.supervisor.pid(), stack.pid("postgres"), stack.pid("kafka")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert poll(lambda: "answers" if stack.supervisor.running() else None, WAIT_S) is None

    stack.start_backing()

    with psycopg.connect(stack.database_url("reco")) as connection:
        assert connection.execute("SELECT count(*) FROM factors").fetchone() == (0,)
    assert kafka.complaint(stack.kafka_bootstrap) is None


def test_given_a_start_killed_half_way_when_it_is_repeated_then_the_remains_are_swept(tmp_path: Path) -> None:
    (tmp_path / "kafka.new" / "logs").mkdir(parents=True)
    (tmp_path / "kafka.new" / "logs" / "meta.properties").write_text("half")
    kafka.initialise(tmp_path / "kafka", kafka.ensure_jars(StackSettings().cache_dir), 19092, 19093)
    assert "cluster.id" in (tmp_path / "kafka" / "logs" / "meta.properties").read_text()
    assert not (tmp_path / "kafka.new").exists()


def test_given_a_cluster_id_that_begins_with_a_dash_when_the_log_folder_is_made_then_it_carries_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "_new_cluster_id", lambda: "-IiyjOlsT1aNKCqKF5xaBA")
    kafka.initialise(tmp_path / "kafka", kafka.ensure_jars(StackSettings().cache_dir), 19092, 19093)
    assert "cluster.id=-IiyjOlsT1aNKCqKF5xaBA" in (tmp_path / "kafka" / "logs" / "meta.properties").read_text()


def test_given_jars_that_are_none_when_the_log_folder_is_made_then_the_complaint_is_told(tmp_path: Path) -> None:
    with pytest.raises(KafkaNotFormatted, match="StorageTool"):
        kafka.initialise(tmp_path / "kafka", tmp_path, 19092, 19093)
    assert not (tmp_path / "kafka").exists()


def test_given_a_second_door_when_the_brokers_settings_are_written_then_it_is_open_and_advertised_elsewhere(
    tmp_path: Path,
) -> None:
    (tmp_path / "kafka" / "logs").mkdir(parents=True)
    (tmp_path / "kafka" / "logs" / "meta.properties").touch()
    kafka.initialise(tmp_path / "kafka", tmp_path, 1, 2, kafka.Listener(port=3, advertised_port=4))
    lines = (tmp_path / "kafka" / "server.properties").read_text().splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,EXTRA://127.0.0.1:3" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1,EXTRA://127.0.0.1:4" in lines

    kafka.initialise(tmp_path / "kafka", tmp_path, 1, 2)
    lines = (tmp_path / "kafka" / "server.properties").read_text().splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1" in lines


def test_given_a_killed_kafka_when_it_comes_back_then_it_answers_at_the_same_address(stack: LocalStack) -> None:
    old = stack.pid("kafka")
    stack.kill("kafka")
    assert poll(lambda: None if stack.pid("kafka") not in (0, old) else "not back", WAIT_S) is None
    assert poll(lambda: kafka.complaint(stack.kafka_bootstrap), WAIT_S) is None
