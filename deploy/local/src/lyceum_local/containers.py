"""PostgreSQL and Kafka in containers, where a Docker engine answers. Image names are settings."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from lyceum_local.errors import ContainerFailed
from lyceum_local.ports import LOOPBACK

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # the stack outlives the command that starts it

import docker
from docker.errors import DockerException, NotFound
from testcontainers.core.container import DockerContainer


def engine_answers() -> bool:
    """Whether a container engine is there and answers."""
    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def container_name(data_dir: Path, part: str) -> str:
    """One name per data folder and part, so that instances live side by side and a second start finds the first."""
    return f"lyceum-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}-{part}"


def ensure_postgres(data_dir: Path, image: str, port: int, user: str, password: str, max_connections: int) -> None:
    """Starts the server on loopback at `port` unless it runs; raises ContainerFailed."""

    def build(name: str) -> DockerContainer:
        container = (
            DockerContainer(image)
            .with_name(name)
            .with_env("POSTGRES_USER", user)
            .with_env("POSTGRES_PASSWORD", password)
        )
        return container.with_command(f"postgres -c max_connections={max_connections}").with_kwargs(
            ports={"5432/tcp": (LOOPBACK, port)}
        )

    _ensure(data_dir, "postgres", image, "LYCEUM_POSTGRES_IMAGE", build)


def ensure_kafka(data_dir: Path, image: str, port: int) -> None:
    """Starts a one-node broker on loopback at `port` unless it runs; raises ContainerFailed."""
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "CLIENT://:9092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"CLIENT://{LOOPBACK}:{port}",
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

    def build(name: str) -> DockerContainer:
        container = DockerContainer(image).with_name(name).with_kwargs(ports={"9092/tcp": (LOOPBACK, port)})
        for key, value in settings.items():
            container.with_env(f"KAFKA_{key}", value)
        return container

    _ensure(data_dir, "kafka", image, "LYCEUM_KAFKA_IMAGE", build)


def _ensure(data_dir: Path, part: str, image: str, setting: str, build: Callable[[str], DockerContainer]) -> None:
    name = container_name(data_dir, part)
    try:
        docker.from_env().containers.get(name).start()
    except NotFound:
        _create(part, image, setting, build(name))


def _create(part: str, image: str, setting: str, container: DockerContainer) -> None:
    try:
        container.start()
    except DockerException as refused:
        raise ContainerFailed(part, image, setting, str(refused).splitlines()[0]) from refused


def stop_all(data_dir: Path) -> None:
    """Stops the containers of `data_dir`, keeping their data; does nothing where there are none."""
    for part in ("kafka", "postgres"):
        try:
            docker.from_env().containers.get(container_name(data_dir, part)).stop()
        except NotFound:
            continue
