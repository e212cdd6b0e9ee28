"""PostgreSQL and Kafka in containers, if a Docker engine answers. Image names are settings."""

import hashlib
import os
from pathlib import Path
from typing import Any

from lyceum_local.errors import ContainerFailed
from lyceum_local.ports import LOOPBACK

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # the stack outlives the command that starts it

import docker
from docker.errors import DockerException, NotFound
from testcontainers.core.container import DockerContainer

LINES_SHOWN = 5
POSTGRES_PORT = "5432/tcp"
KAFKA_PORT = "9092/tcp"
KAFKA_SETTINGS = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "LISTENERS": "CLIENT://:9092,CONTROLLER://:9093",
    "LISTENER_SECURITY_PROTOCOL_MAP": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "INTER_BROKER_LISTENER_NAME": "CLIENT",
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
    "LOG_RETENTION_MS": "-1",
    "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}
"""Named as in the public image: KAFKA_ and the setting in capitals."""


def engine_answers() -> bool:
    """Whether a container engine exists and answers."""
    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def container_name(data_dir: Path, part: str) -> str:
    """One name per data folder and part, so that instances live side by side and a second start finds the first."""
    return f"lyceum-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}-{part}"


def ensure_postgres(data_dir: Path, image: str, port: int, user: str, password: str, max_connections: int) -> None:
    """Starts the server on loopback at `port` unless it runs; raises ContainerFailed."""
    container = DockerContainer(image).with_command(f"postgres -c max_connections={max_connections}")
    container.with_env("POSTGRES_USER", user).with_env("POSTGRES_PASSWORD", password)
    _ensure(data_dir, "postgres", "LYCEUM_POSTGRES_IMAGE", container, {POSTGRES_PORT: port})


def ensure_kafka(data_dir: Path, image: str, port: int) -> None:
    """Starts a one-node broker on loopback at `port` unless it runs; raises ContainerFailed."""
    container = DockerContainer(image)
    for name, value in {**KAFKA_SETTINGS, "ADVERTISED_LISTENERS": f"CLIENT://{LOOPBACK}:{port}"}.items():
        container.with_env(f"KAFKA_{name}", value)
    _ensure(data_dir, "kafka", "LYCEUM_KAFKA_IMAGE", container, {KAFKA_PORT: port})


def complaint(data_dir: Path, part: str) -> str | None:
    """None if the part's container runs, else its state and the end of its output."""
    made = _find(container_name(data_dir, part))
    if made is None or made.status == "running":
        return None
    said = made.logs(tail=LINES_SHOWN).decode(errors="replace").strip()
    return f"its container is {made.status} and said: {said}"


def stop_all(data_dir: Path) -> None:
    """Stops the containers of `data_dir` and keeps their data; does nothing if there are none."""
    for part in ("kafka", "postgres"):
        if made := _find(container_name(data_dir, part)):
            made.stop()


def _ensure(data_dir: Path, part: str, setting: str, container: DockerContainer, ports: dict[str, int]) -> None:
    name = container_name(data_dir, part)
    container.with_name(name)
    published: dict[str, Any] = container.ports
    published.update({inside: (LOOPBACK, outside) for inside, outside in ports.items()})
    made = _find(name)
    try:
        (made or container).start()
    except DockerException as refused:
        _discard(None if made else _find(name))
        raise ContainerFailed(part, container.image, setting, str(refused).splitlines()[0]) from refused


def _find(name: str) -> Any:
    try:
        return docker.from_env().containers.get(name)
    except NotFound:
        return None


def _discard(unstarted: Any) -> None:
    if unstarted:
        unstarted.remove(force=True)
