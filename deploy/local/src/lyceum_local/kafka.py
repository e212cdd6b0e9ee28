"""Apache Kafka, a real KRaft broker: jars from Maven in a cache, and one node that is broker and controller."""

import asyncio
import hashlib
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from eventfold.publish.brokers import Brokers
from lyceum_local import durable
from lyceum_local.errors import HalfInitialised, KafkaFetchFailed, KafkaNotFormatted, MavenMissing
from lyceum_local.health import tcp_complaint
from lyceum_local.java import find_java
from lyceum_local.leftovers import marked_environment
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program
from lyceum_local.waiting import tail

VERSION = "4.4.0"
KEYSTORE = "keystore.pem"
FETCH_TIMEOUT_S = 300.0
FORMAT_TIMEOUT_S = 60.0
READY_WAIT_S = 90.0
HANGING_S = 30.0
"""How long a broker that runs already may leave `make up` without an answer."""
ASK_TIMEOUT_MS = 3000
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


@dataclass(frozen=True, slots=True)
class Listener:
    """A second listener of the broker. It tells its clients `advertised_port`, for example that of a proxy before
    `port`."""

    port: int
    advertised_port: int


def ensure_jars(cache_dir: Path) -> Path:
    """The folder of the broker's jars, which are fetched on first use (blocks). Raises MavenMissing or
    KafkaFetchFailed."""
    pom = files("lyceum_local") / "kafka_files" / "pom.xml"
    folder = cache_dir / f"kafka-{VERSION}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if folder.exists():
        return folder
    if shutil.which("mvn") is None:
        raise MavenMissing()
    fresh = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.new")
    _fetch(str(pom), fresh)
    _rename_unless_there(fresh, folder)
    return folder


def _fetch(pom: str, folder: Path) -> None:
    command = ["mvn", "-q", "-B", "--strict-checksums", "-f", pom, "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
    except subprocess.CalledProcessError as failed:
        raise KafkaFetchFailed(tail(failed.stdout + failed.stderr, 3)) from failed
    except subprocess.TimeoutExpired as late:
        raise KafkaFetchFailed(f"nothing within {FETCH_TIMEOUT_S:.0f} s") from late


def _rename_unless_there(fresh: Path, folder: Path) -> None:
    """Two instances may fetch at the same time; the first rename wins and the other copy is deleted."""
    try:
        fresh.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(fresh)


def initialise(
    folder: Path, jars: Path, port: int, controller_port: int, extra: Listener | None = None, tls: Path | None = None
) -> None:
    """Writes the broker's settings and formats its log folder, unless done already. It is complete or absent.

    With the certificate in `tls`, the broker takes only clients with one of the same authority; the extra listener
    stays in plain text.
    """
    if folder.exists():
        if not (folder / "logs" / "meta.properties").exists():
            raise HalfInitialised("Kafka", folder, "logs/meta.properties")
        _write_settings(folder, folder, port, controller_port, extra, tls)
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    _write_settings(fresh, fresh, port, controller_port, extra, tls)
    _format(fresh, jars)
    _write_settings(fresh, folder, port, controller_port, extra, tls)
    durable.sync_tree(fresh)
    durable.rename(fresh, folder)


def _format(folder: Path, jars: Path) -> None:
    # One id in 64 begins with a dash, and would be read as an option if it were an argument of its own.
    which = (f"--cluster-id={_new_cluster_id()}", "--config", str(folder / "server.properties"))
    try:
        subprocess.run(
            (*_java(jars), "kafka.tools.StorageTool", "format", "--standalone", *which),
            check=True,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            env=marked_environment(folder.parent),
        )
    except subprocess.CalledProcessError as failed:
        raise KafkaNotFormatted(folder, tail(failed.stdout + failed.stderr, 3)) from failed


def _new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _write_settings(
    at: Path, home: Path, port: int, controller_port: int, extra: Listener | None, tls: Path | None
) -> None:
    template = (files("lyceum_local") / "kafka_files" / "server.properties").read_text()
    values: dict[str, object] = {
        "host": LOOPBACK,
        "port": port,
        "controller_port": controller_port,
        "logs": home / "logs",
    }
    values["extra"] = f",EXTRA://{LOOPBACK}:{extra.port}" if extra else ""
    values["extra_advertised"] = f",EXTRA://{LOOPBACK}:{extra.advertised_port}" if extra else ""
    values |= {"protocol": "SSL" if tls else "PLAINTEXT", "tls": _tls_settings(home, tls) if tls else ""}
    (at / KEYSTORE).unlink(missing_ok=True)
    if tls:
        _write_keystore(at, tls)
    (at / "server.properties").write_text(template.format(**values))


def _tls_settings(home: Path, tls: Path) -> str:
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": home / KEYSTORE,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": tls / "ca.crt",
        "ssl.client.auth": "required",
        "ssl.enabled.protocols": "TLSv1.3,TLSv1.2",
    }
    return "\n".join(f"{name}={value}" for name, value in settings.items())


def _write_keystore(at: Path, tls: Path) -> None:
    """The broker wants key and certificate in one file. It reads them when it starts."""
    keystore = at / KEYSTORE
    keystore.touch(mode=0o600)
    keystore.write_bytes((tls / "tls.key").read_bytes() + (tls / "tls.crt").read_bytes())


def program(folder: Path, jars: Path) -> Program:
    """The broker as a supervised process. Changed settings or another certificate make another program: it restarts."""
    settings, keystore = folder / "server.properties", folder / KEYSTORE
    read = settings.read_bytes() + (keystore.read_bytes() if keystore.exists() else b"")
    digest = {"SETTINGS_SHA256": hashlib.sha256(read).hexdigest()}
    return Program("kafka", (*_java(jars), "kafka.Kafka", str(settings)), digest, stop_wait_s=40)


def _java(jars: Path) -> tuple[str, ...]:
    log_settings = files("lyceum_local") / "kafka_files" / "log4j2.properties"
    return (str(find_java()), *JVM, f"-Dlog4j2.configurationFile={log_settings}", "-cp", f"{jars}/*")


def complaint(brokers: Brokers) -> str | None:
    """None if the first of `brokers` describes its cluster, else the reason."""
    host, _, port = brokers.bootstrap.split(",")[0].rpartition(":")
    if refused_connection := tcp_complaint(host, int(port)):
        return refused_connection
    try:
        return asyncio.run(_describe(brokers))
    except (KafkaError, OSError, TimeoutError) as refused:
        return f"{type(refused).__name__} at {brokers}"


async def _describe(brokers: Brokers) -> str | None:
    client = AIOKafkaAdminClient(**brokers.client(), request_timeout_ms=ASK_TIMEOUT_MS)
    async with asyncio.timeout(2 * ASK_TIMEOUT_MS / 1000):
        try:
            await client.start()
            cluster = await client.describe_cluster()
        finally:
            await client.close()
    return None if cluster["brokers"] else "no broker has joined"
