"""Two schemas that a reader could take for each other are refused when they are loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.avro import AvroCodec, schema_folder, shipped_schemas
from contracts.collisions import SchemasCollide

LIKED = {"type": "record", "name": "lyceum.test.Liked", "fields": [{"name": "at_ms", "type": "long"}]}


def changed(**changes: Any) -> dict[str, Any]:
    return {**LIKED, **changes}


def with_field(**changes: Any) -> dict[str, Any]:
    return changed(fields=[{**LIKED["fields"][0], **changes}])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("other", "schema"),
    [
        ("post_shared.v1.0", LIKED),
        ("post_liked.v2.0", LIKED),
        ("post_liked.v1.1", LIKED),
        ("post_liked.v1.1", changed(doc="said anew")),
        ("post_liked.v1.1", changed(aliases=["lyceum.test.Loved"])),
        ("post_liked.v1.1", with_field(default=0)),
        ("post_liked.v1.1", with_field(type={"type": "long", "logicalType": "timestamp-millis"})),
        ("post_shared.v1.0", with_field(name="other")),
    ],
    ids=["two types", "two majors", "a minor without a change", "doc", "aliases", "default", "logicalType", "one name"],
)
def test_what_could_be_taken_for_each_other_is_refused(tmp_path: Path, other: str, schema: Any) -> None:
    write(tmp_path, "post_liked.v1.0", LIKED)
    write(tmp_path, other, schema)
    with pytest.raises(SchemasCollide, match=r"lyceum\.test\.post\.liked\.v1\.0 and lyceum\.test\.post"):
        AvroCodec(tmp_path)


def write(folder: Path, name: str, schema: Any, context: str = "test") -> None:
    (folder / context).mkdir(exist_ok=True)
    text = schema if isinstance(schema, str) else json.dumps(schema)
    (folder / context / f"{name}.avsc").write_text(text)


@pytest.mark.parametrize("name", ["post_liked.v1.00", "post_liked.v01.0"])
def test_a_version_that_is_spelt_in_two_ways_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "post_liked.v1.0", LIKED)
    write(tmp_path, name, LIKED)
    with pytest.raises(ValueError, match="name it"):
        shipped_schemas(tmp_path)


def test_a_new_major_may_keep_its_record_name(tmp_path: Path) -> None:
    write(tmp_path, "post_liked.v1.0", LIKED)
    write(tmp_path, "post_liked.v2.0", with_field(name="other"))
    assert AvroCodec(tmp_path).types == ["lyceum.test.post.liked.v1", "lyceum.test.post.liked.v2"]


def test_topics_that_kafka_takes_for_one_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "post_liked.v1.0", LIKED, "a.b")
    write(tmp_path, "post_liked.v1.0", changed(name="lyceum.test.Other"), "a_b")
    with pytest.raises(SchemasCollide, match="dots and underscores"):
        shipped_schemas(tmp_path)


TWICE = [{"name": "a", "type": "int"}, {"name": "a", "type": "long"}]
ALIASED = [{"name": "a", "type": "int", "aliases": ["b"]}, {"name": "b", "type": "long"}]
INNER = [{"name": "in", "type": ["null", {"type": "array", "items": {"type": "record", "name": "I", "fields": TWICE}}]}]


@pytest.mark.parametrize("fields", [TWICE, ALIASED, INNER], ids=["name", "alias", "within"])
def test_two_fields_under_one_name_are_refused(tmp_path: Path, fields: Any) -> None:
    write(tmp_path, "post_liked.v1.0", changed(fields=fields))
    with pytest.raises(SchemasCollide, match="two fields under the name"):
        shipped_schemas(tmp_path)


def test_an_object_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "post_liked.v1.0", json.dumps(LIKED)[:-1] + ', "fields": []}')
    with pytest.raises(ValueError, match=r"post_liked\.v1\.0\.avsc: the key fields stands twice"):
        shipped_schemas(tmp_path)


def test_one_id_of_a_registry_for_two_schemas_is_refused() -> None:
    ids = {one.dataschema: number for number, one in enumerate(shipped_schemas(schema_folder()), 1)}
    AvroCodec(ids=ids)
    with pytest.raises(SchemasCollide, match="the registry gave both the id 7"):
        AvroCodec(ids={**ids, list(ids)[3]: 7})
