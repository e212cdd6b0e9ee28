"""Values framed by a registry's ids: registered once, read in both framings, refused with a reason."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fake_registry import FakeRegistry, running

from contracts.avro import AvroCodec, UnknownFingerprint, schema_folder, shipped_schemas
from contracts.golden import golden_files, read_golden
from contracts.registry import (
    ATTEMPTS,
    Registry,
    RegistryRefused,
    RegistryUnreachable,
    SchemaRefused,
    avro_codec,
    register_all,
)

GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"
CLAIMED = "lyceum.identity.member.claimed.v1"
PLAIN = AvroCodec()


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with running() as registry:
        yield registry


def client(fake: FakeRegistry) -> Registry:
    return Registry(fake.url, pause_s=0.0)


def with_field(folder: Path, minor: int, field: Mapping[str, object]) -> Path:
    """A folder of the shipped schemas in which member.claimed has one minor more."""
    shutil.copytree(schema_folder(), folder, dirs_exist_ok=True)
    newest = json.loads((folder / "identity" / "member_claimed.v1.0.avsc").read_text())
    newest["fields"].append(field)
    (folder / "identity" / f"member_claimed.v1.{minor}.avsc").write_text(json.dumps(newest))
    return folder


def test_every_shipped_schema_is_registered_under_its_type_and_held_compatible_both_ways(fake: FakeRegistry) -> None:
    ids = register_all(client(fake))
    shipped = shipped_schemas(schema_folder())
    assert set(fake.subjects) == {one.type for one in shipped} == set(fake.compatibility)
    assert set(fake.compatibility.values()) == {"FULL_TRANSITIVE"}
    assert ids == {one.dataschema: fake.ids[one.text] for one in shipped}


def test_registering_again_changes_nothing(fake: FakeRegistry) -> None:
    first = register_all(client(fake))
    kept = {subject: list(versions) for subject, versions in fake.subjects.items()}
    assert register_all(client(fake)) == first and fake.subjects == kept


@pytest.mark.parametrize("path", golden_files(GOLDEN), ids=lambda path: path.stem)
def test_a_value_is_the_id_and_the_same_datum(fake: FakeRegistry, path: Path) -> None:
    type_name = path.stem.rsplit(".", 1)[0]
    codec = AvroCodec(ids=register_all(client(fake)))
    value = codec.encode(type_name, read_golden(path))
    [schema] = fake.subjects[type_name][-1:]
    assert value[:1] == b"\x00" and int.from_bytes(value[1:5], "big") == fake.ids[schema]
    assert value[5:] == path.with_suffix(".bin").read_bytes()[10:]
    assert codec.decode(value) == PLAIN.decode(path.with_suffix(".bin").read_bytes())
    assert codec.written_as(value) == PLAIN.written_as(path.with_suffix(".bin").read_bytes())
    assert codec.written_as(value)[0] == type_name


def test_a_topic_may_hold_both_framings(fake: FakeRegistry) -> None:
    codec = AvroCodec(ids=register_all(client(fake)))
    datum = read_golden(GOLDEN / f"{CLAIMED}.0.json")
    assert codec.decode(PLAIN.encode(CLAIMED, datum)) == codec.decode(codec.encode(CLAIMED, datum)) == datum


def test_a_build_without_the_registry_says_what_it_lacks(fake: FakeRegistry) -> None:
    value = AvroCodec(ids=register_all(client(fake))).encode(CLAIMED, read_golden(GOLDEN / f"{CLAIMED}.0.json"))
    with pytest.raises(UnknownFingerprint, match="SCHEMA_REGISTRY_URL"):
        PLAIN.decode(value)


def test_an_id_of_a_schema_that_this_build_does_not_carry_is_refused(fake: FakeRegistry, tmp_path: Path) -> None:
    optional = {"name": "channel", "type": ["null", "string"], "default": None}
    codec = AvroCodec(ids=register_all(client(fake)))
    newer_folder = with_field(tmp_path, 1, optional)
    newer = AvroCodec(newer_folder, register_all(client(fake), newer_folder))
    datum = read_golden(GOLDEN / f"{CLAIMED}.0.json")
    ahead = newer.encode(CLAIMED, {**datum, "channel": "sms"})
    assert newer.decode(codec.encode(CLAIMED, datum)) == {**datum, "channel": None}
    with pytest.raises(UnknownFingerprint, match=f"id {int.from_bytes(ahead[1:5], 'big')} "):
        codec.decode(ahead)


def test_an_incompatible_minor_stops_the_start_and_is_named(fake: FakeRegistry, tmp_path: Path) -> None:
    register_all(client(fake))
    folder = with_field(tmp_path, 1, {"name": "must", "type": "string"})
    with pytest.raises(
        SchemaRefused, match=rf"{CLAIMED} was refused: 409 incompatible with an earlier version; .*major"
    ):
        register_all(client(fake), folder)
    assert len(fake.subjects[CLAIMED]) == 1


def test_a_registry_that_fails_for_a_moment_is_asked_again(fake: FakeRegistry) -> None:
    fake.failing = [503, 500, 429]
    assert client(fake).register("s", '"string"') == 1
    assert len(fake.asked) == 4


def test_a_registry_that_keeps_failing_is_given_up(fake: FakeRegistry) -> None:
    fake.failing = [503] * 50
    with pytest.raises(RegistryUnreachable, match=r"503 not now.*SCHEMA_REGISTRY_URL"):
        client(fake).register("s", '"string"')
    assert len(fake.asked) == ATTEMPTS


def test_an_absent_registry_is_told_with_its_address() -> None:
    with pytest.raises(RegistryUnreachable, match=r"http://127.0.0.1:1 does not answer"):
        Registry("http://127.0.0.1:1", pause_s=0.0).register("s", '"string"')


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_at_once(fake: FakeRegistry, status: int) -> None:
    fake.failing = [status, status]
    with pytest.raises(RegistryRefused, match=f"{status} not now"):
        client(fake).register("s", '"string"')
    with pytest.raises(RegistryRefused, match="compatibility of s"):
        client(fake).require_compatibility("s")
    assert len(fake.asked) == 2


def test_credentials_go_into_the_header_and_nowhere_else(fake: FakeRegistry) -> None:
    registry = Registry(fake.url.replace("http://", "http://me:p%40ss@"), pause_s=0.0)
    registry.register("s", '"string"')
    assert fake.asked[-1][2] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    fake.failing = [401]
    with pytest.raises(RegistryRefused) as refused:
        registry.register("s", '"string"')
    assert "p@ss" not in str(refused.value) and "p%40ss" not in str(refused.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "registry:8081", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SCHEMA_REGISTRY_URL"):
        Registry(url)


def test_a_process_registers_once_however_many_codecs_it_asks_for(fake: FakeRegistry) -> None:
    codec = avro_codec(fake.url)
    count = len(fake.asked)
    assert avro_codec(fake.url) is codec and len(fake.asked) == count
    assert avro_codec("") is avro_codec("") is not codec
