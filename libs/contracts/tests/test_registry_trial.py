"""The same against a real registry and a real Kafka; `make registry-trial` fetches Apicurio Registry and runs it."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastavro import parse_schema, schemaless_reader

from contracts.avro import AvroCodec, frame_of, schema_folder, shipped_schemas
from contracts.golden import golden_files, read_golden
from contracts.registry import Registry, SchemaRefused, avro_codec, register_all
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

HOME, JAVA = os.environ.get("APICURIO_HOME", ""), os.environ.get("APICURIO_JAVA", "java")
GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"
CLAIMED = "lyceum.identity.member.claimed.v1"
READY_S = 90.0

pytestmark = pytest.mark.skipif(not HOME, reason="APICURIO_HOME names no Apicurio Registry: make registry-trial")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The root of the Confluent-compatible API of a fresh registry."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["-Xmx512m", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1"]
    log = tmp_path_factory.mktemp("registry") / "log"
    with log.open("w") as output:
        process = subprocess.Popen([JAVA, *options, "-jar", f"{HOME}/quarkus-run.jar"], stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        give_up_at = time.monotonic() + READY_S
        while not _answers(f"{url}/subjects"):
            assert process.poll() is None and time.monotonic() < give_up_at, log.read_text()[-2000:]
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return bool(_get(url) is not None)
    except (URLError, OSError):
        return False


def _get(url: str) -> Any:
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - the registry of this test
        return json.load(answer)


def test_all_schemas_are_registered_and_come_back_as_they_are(registry: str) -> None:
    ids = register_all(Registry(registry))
    assert register_all(Registry(registry)) == ids
    shipped = shipped_schemas(schema_folder())
    assert set(_get(f"{registry}/subjects")) == {one.type for one in shipped}
    for one in shipped:
        kept = _get(f"{registry}/schemas/ids/{ids[one.dataschema]}")["schema"]
        assert frame_of(json.loads(kept)) == one.frame  # it may spell the names of types in another way


def test_an_optional_field_is_taken_and_an_incompatible_one_refused(registry: str, tmp_path: Path) -> None:
    client = Registry(registry)
    register_all(client)
    shutil.copytree(schema_folder(), tmp_path, dirs_exist_ok=True)
    claimed = json.loads((tmp_path / "identity" / "member_claimed.v1.0.avsc").read_text())
    for minor, field, refused in (
        (1, {"name": "channel", "type": ["null", "string"], "default": None}, False),
        (2, {"name": "must", "type": "string"}, True),
    ):
        changed = {**claimed, "fields": [*claimed["fields"], field]}
        (tmp_path / "identity" / f"member_claimed.v1.{minor}.avsc").write_text(json.dumps(changed))
        if refused:
            with pytest.raises(SchemaRefused, match=f"{CLAIMED} was refused: 409"):
                register_all(client, tmp_path)
        else:
            register_all(client, tmp_path)
    assert len(_get(f"{registry}/subjects/{CLAIMED}/versions")) == 2


async def test_values_on_kafka_are_read_by_us_and_by_whoever_asks_the_registry(registry: str, brokers: Brokers) -> None:
    topic = "registry-trial.events"
    await prepare_topics(brokers, [topic], partitions=1)
    codec, plain = avro_codec(registry), AvroCodec()
    sent = [(path.stem.rsplit(".", 1)[0], read_golden(path)) for path in golden_files(GOLDEN)]
    async with AIOKafkaProducer(**brokers.client()) as producer:
        for type_name, datum in sent:
            await producer.send_and_wait(topic, plain.encode(type_name, datum))
            await producer.send_and_wait(topic, codec.encode(type_name, datum))
    consumer = AIOKafkaConsumer(topic, **brokers.client(), auto_offset_reset="earliest")
    async with consumer:
        values = [(await consumer.getone()).value or b"" for _ in range(2 * len(sent))]
    assert [codec.decode(value) for value in values] == [datum for _, datum in sent for _ in range(2)]
    framed = values[1::2]
    assert {value[:1] for value in framed} == {b"\x00"}
    assert [_by_the_registry(registry, value) for value in framed] == [datum for _, datum in sent]


def _by_the_registry(registry: str, value: bytes) -> Any:
    """The datum as a stranger reads it: the writer schema from the registry, by the id in the value."""
    schema = _get(f"{registry}/schemas/ids/{int.from_bytes(value[1:5], 'big')}")["schema"]
    return schemaless_reader(io.BytesIO(value[5:]), parse_schema(json.loads(schema)), None)
