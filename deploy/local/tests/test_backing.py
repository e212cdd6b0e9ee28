"""The embedded PostgreSQL and Kafka for real: first start, restart after a crash, and the walls between services."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from lyceum_local import kafka, postgres
from lyceum_local.errors import DatabaseRefused, KafkaNotFormatted, NotPrepared
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import poll

pytestmark = pytest.mark.servers

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
    assert kafka.complaint(stack.brokers) is None


@pytest.mark.parametrize("left", ["", "{other}\n/elsewhere\n", "2147483000\n"])
def test_given_a_lock_file_that_a_power_loss_left_when_postgres_is_started_then_it_starts(
    stack: LocalStack, left: str
) -> None:
    stack.stop("postgres")
    (stack.data_dir / "postgres" / "postmaster.pid").write_text(left.format(other=os.getpid()))
    stack.start_postgres()
    assert postgres.complaint(stack.admin_url) is None


def test_given_a_server_that_runs_when_its_lock_file_is_looked_at_then_it_stays(stack: LocalStack) -> None:
    lock = stack.data_dir / "postgres" / "postmaster.pid"
    postgres.remove_stale_lock(stack.data_dir / "postgres")
    assert lock.exists()


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


def test_given_the_brokers_jars_when_they_are_listed_then_what_logs_is_bound_in_the_version_that_kafka_brings() -> None:
    jars = [file.name for file in kafka.ensure_jars(StackSettings().cache_dir).glob("*.jar")]
    logging = {m[1]: m[2] for name in jars if (m := re.fullmatch(r"(log4j-[a-z0-9-]+?|slf4j-api)-(\d.*)\.jar", name))}
    assert logging.pop("slf4j-api").startswith("1.7.")  # for which the binding is called slf4j, not slf4j2
    assert set(logging) == {"log4j-api", "log4j-core", "log4j-slf4j-impl"} and len(set(logging.values())) == 1


def test_given_a_broker_when_it_starts_and_ends_then_its_log_says_so(stack: LocalStack) -> None:
    log = stack.supervisor.logs / "kafka.log"
    stack.restart("kafka")

    def complaint() -> str | None:
        said = log.read_text()
        ended, started = said.rfind("Transition from SHUTTING_DOWN to SHUTDOWN"), said.rfind("STARTING")
        return None if 0 < ended < started else "the log does not say that it ended and started"

    assert poll(complaint, WAIT_S) is None
    assert "SLF4J" not in log.read_text()
    assert poll(lambda: kafka.complaint(stack.brokers), WAIT_S) is None


def test_given_a_log_folder_of_another_node_when_the_broker_starts_then_it_says_what_is_wrong(tmp_path: Path) -> None:
    jars, ports = kafka.ensure_jars(StackSettings().cache_dir), Ports.free()
    kafka.initialise(tmp_path / "kafka", jars, ports.kafka, ports.kafka_controller)
    meta = tmp_path / "kafka" / "logs" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    command = kafka.program(tmp_path / "kafka", jars).command
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert ended.returncode != 0 and re.search(r"(?s)ERROR.*node id 7", ended.stdout), ended.stdout + ended.stderr


def test_given_a_server_that_takes_no_writes_when_a_service_is_looked_at_then_it_is_looked_at(
    stack: LocalStack,
) -> None:
    made = stack.database_url("metrics")
    again = LocalStack(stack.data_dir, stack.ports, prefix="t1.", settings=stack.settings)
    with psycopg.connect(stack.admin_url, autocommit=True) as server:
        server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        server.execute("SELECT pg_reload_conf()")
        try:
            assert poll(lambda: _takes_writes(stack), WAIT_S) is None
            assert again.known_environment("metrics")["DATABASE_URL"] == made
            with pytest.raises(DatabaseRefused, match=r"PostgreSQL refused .*read-only transaction"):
                again.database_url("metrics")
        finally:
            server.execute("SET default_transaction_read_only = off")
            server.execute("ALTER SYSTEM RESET default_transaction_read_only")
            server.execute("SELECT pg_reload_conf()")


def test_given_a_service_that_was_never_prepared_when_it_is_looked_at_then_the_next_step_is_named(
    stack: LocalStack, tmp_path: Path
) -> None:
    with pytest.raises(NotPrepared, match="run make up first"):
        LocalStack(tmp_path, stack.ports, settings=stack.settings).known_environment("billing")


def _takes_writes(stack: LocalStack) -> str | None:
    with psycopg.connect(stack.admin_url) as connection:
        refused = connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
    return None if refused else "still takes writes"


def test_given_a_killed_kafka_when_it_comes_back_then_it_answers_at_the_same_address(stack: LocalStack) -> None:
    old = stack.pid("kafka")
    stack.kill("kafka")
    assert poll(lambda: None if stack.pid("kafka") not in (0, old) else "not back", WAIT_S) is None
    assert poll(lambda: kafka.complaint(stack.brokers), WAIT_S) is None
