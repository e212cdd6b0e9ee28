"""The schemas' promises: frames as the specification says, goldens readable for ever, minors compatible both ways."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as parse_avro

from contracts.avro import MARKER, AvroCodec, UnknownFingerprint, frame_of, schema_folder, shipped_schemas
from contracts.golden import golden_files, read_golden

FOLDER = schema_folder()
GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"
CODEC = AvroCodec()


def test_the_frame_is_the_specifications() -> None:
    """Avro 1.12, "Single-object encoding"; the CRC of `"null"` is 0x63dd24e7cc258f8a, sent little-endian."""
    assert frame_of("null") == MARKER + (0x63DD24E7CC258F8A).to_bytes(8, "little")


def test_every_shipped_version_has_its_golden_and_nothing_else_has() -> None:
    shipped = {f"{one.type}.{one.minor}" for one in shipped_schemas(FOLDER)}
    assert {path.stem for path in golden_files(GOLDEN)} == shipped


@pytest.mark.parametrize("path", golden_files(GOLDEN), ids=lambda path: path.stem)
def test_a_golden_still_reads_as_it_did(path: Path) -> None:
    datum = CODEC.decode(path.with_suffix(".bin").read_bytes())
    kept = read_golden(path)
    assert {name: datum[name] for name in kept} == kept


@pytest.mark.parametrize("path", golden_files(GOLDEN), ids=lambda path: path.stem)
def test_the_newest_version_writes_its_golden_to_the_byte(path: Path) -> None:
    type_name, minor = path.stem.rsplit(".", 1)
    if int(minor) == max(one.minor for one in shipped_schemas(FOLDER) if one.type == type_name):
        assert CODEC.encode(type_name, read_golden(path)) == path.with_suffix(".bin").read_bytes()


def _versions() -> list[tuple[Any, Any]]:
    by_type = itertools.groupby(shipped_schemas(FOLDER), key=lambda one: one.type)
    return [pair for _, versions in by_type for pair in itertools.permutations(list(versions), 2)]


def _incompatibility(reader: Any, writer: Any) -> str:
    checker: Any = ReaderWriterCompatibilityChecker
    checked = checker().get_compatibility(parse_avro(json.dumps(reader)), parse_avro(json.dumps(writer)))
    return "" if checked.compatibility is SchemaCompatibilityType.compatible else str(checked.messages)


def test_all_minors_of_a_major_read_each_other() -> None:
    assert [
        _incompatibility(one.schema, other.schema)
        for one, other in _versions()
        if _incompatibility(one.schema, other.schema)
    ] == []


def test_the_compatibility_check_does_find_a_break() -> None:
    old = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}
    new = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "int"}]}
    assert "b" in _incompatibility(new, old)


def test_a_new_minor_reads_what_the_old_one_wrote(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    old = json.loads((tmp_path / "identity" / "member_claimed.v1.0.avsc").read_text())
    old["fields"].append({"name": "channel", "type": ["null", "string"], "default": None})
    (tmp_path / "identity" / "member_claimed.v1.1.avsc").write_text(json.dumps(old))
    golden = GOLDEN / "lyceum.identity.member.claimed.v1.0.bin"
    newer = AvroCodec(tmp_path)
    assert newer.decode(golden.read_bytes())["channel"] is None
    ahead = newer.encode("lyceum.identity.member.claimed.v1", {**newer.decode(golden.read_bytes()), "channel": "sms"})
    with pytest.raises(UnknownFingerprint):
        CODEC.decode(ahead)


def test_a_shipped_schema_that_was_edited_no_longer_reads_its_golden(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "identity" / "member_claimed.v1.0.avsc"
    edited = json.loads(path.read_text())
    edited["fields"].append({"name": "channel", "type": ["null", "string"], "default": None})
    path.write_text(json.dumps(edited))
    with pytest.raises(UnknownFingerprint):
        AvroCodec(tmp_path).decode((GOLDEN / "lyceum.identity.member.claimed.v1.0.bin").read_bytes())


@pytest.mark.parametrize("value", [b"", b"\xc3\x01", b"\x00\x00\x00\x00\x01data", MARKER + bytes(8) + b"x"])
def test_a_value_of_unknown_origin_is_named_as_such(value: bytes) -> None:
    with pytest.raises(UnknownFingerprint):
        CODEC.decode(value)


def test_a_datum_with_a_missing_or_surplus_field_is_refused() -> None:
    golden = read_golden(GOLDEN / "lyceum.catalog.interaction.liked.v1.0.json")
    with pytest.raises(ValueError, match="surplus"):
        CODEC.encode("lyceum.catalog.interaction.liked.v1", {**golden, "surplus": 1})
    with pytest.raises((ValueError, TypeError)):
        CODEC.encode("lyceum.catalog.interaction.liked.v1", {"member_id": "m"})


def test_no_schema_has_a_field_for_personal_data() -> None:
    personal = {"username", "email", "phone", "byline", "author", "text", "comment", "password", "name_sealed"}
    fields = {(one.type, field["name"]) for one in shipped_schemas(FOLDER) for field in one.schema["fields"]}
    assert not {found for found in fields if found[1] in personal}
