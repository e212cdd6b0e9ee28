"""Public events as Avro, under every writer schema ever shipped.

Each version has one immutable file, `schemas/avro/<context>/<subject>_<action>.v<major>.<minor>.avsc`. Values are
framed in one of two ways. Single-object encoding needs no registry: C3 01, the CRC-64-AVRO fingerprint of the writer
schema (8 bytes, little endian), then the datum. With a schema registry, Confluent's wire format is used: 00, the
schema's registry id (4 bytes, big endian), then the datum. Readers resolve the exact writer schema to the newest minor
of its major.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import expand_schema, fingerprint, to_parsing_canonical_form

from contracts.collisions import check_frames, check_schemas, unique_keys
from contracts.fitting import fitting
from contracts.many import WORTH_IT, Malformed, array_of, grouped, read_many
from eventfold.vocabulary.public import Written

MARKER = b"\xc3\x01"
HEADER_BYTES = 10
REGISTERED = b"\x00"
REGISTERED_BYTES = 5
_FILE = re.compile(r"(?P<subject>[a-z]+)_(?P<action>[a-z_]+)\.v(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.avsc")


class UnknownFingerprint(Exception):
    """The value was written with a schema that this build does not have: deploy a build that has it."""

    def __init__(self, found: str) -> None:
        """`found` is the fingerprint in hexadecimal or the registry id, or says that the frame is neither."""
        super().__init__(f"no schema with {found}; deploy the build that carries it")
        self.found = found


@dataclass(frozen=True)
class Shipped:
    """One shipped writer schema."""

    type: str
    minor: int
    schema: Any
    frame: bytes
    text: str

    @cached_property
    def dataschema(self) -> str:
        """The value of `ce_dataschema` for it."""
        return f"urn:lyceum:avro:{self.type}.{self.minor}:{self.frame[2:].hex()}"


def schema_folder() -> Path:
    """The folder of the schema files: beside the installed package, or in the tree."""
    installed = Path(__file__).parent / "avro_schemas"
    return installed if installed.is_dir() else Path(__file__).parents[4] / "schemas" / "avro"


def frame_of(schema: Any) -> bytes:
    """Marker and fingerprint that precede every datum written under `schema`."""
    # fastavro prints the CRC's bytes in little-endian order, which is the order on the wire.
    return MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def shipped_schemas(folder: Path) -> list[Shipped]:
    """Every schema below `folder`, in the order of type and minor. Raises ValueError for a misnamed file or a file
    without a schema, and `SchemasCollide` if two could be mistaken for each other."""
    found = []
    for path in sorted(folder.glob("*/*.avsc")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name}: name it <subject>_<action>.v<major>.<minor>.avsc")
        text = path.read_text(encoding="utf-8")
        raw = _parsed(path.name, text)
        name = f"lyceum.{path.parent.name}.{match['subject']}.{match['action']}.v{match['major']}"
        found.append(
            Shipped(type=name, minor=int(match["minor"]), schema=parse_schema(raw), frame=frame_of(raw), text=text)
        )
    check_schemas(found)
    return sorted(found, key=lambda one: (one.type, one.minor))


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=unique_keys)
    except ValueError as failure:
        raise ValueError(f"{name}: {failure}") from failure


def registered_frame(schema_id: int) -> bytes:
    """The bytes that precede a datum whose writer schema has this id in a registry."""
    return REGISTERED + schema_id.to_bytes(4, "big")


class AvroCodec:
    """Encodes with the newest minor of a type, decodes every version ever shipped. Thread-safe after construction.

    With `ids`, the registry id of each shipped schema by its `dataschema`, values are written in Confluent's wire
    format. Both framings can be read, so a topic can change from one to the other.
    """

    content_type = "application/avro"

    def __init__(self, folder: Path | None = None, ids: Mapping[str, int] | None = None) -> None:
        """`folder` overrides the folder of the schema files."""
        shipped = shipped_schemas(folder or schema_folder())
        registered = {one.dataschema: registered_frame(ids[one.dataschema]) for one in shipped} if ids else {}
        check_frames(registered)
        self._newest: dict[str, Shipped] = {one.type: one for one in shipped}
        self._frames = {one.type: registered.get(one.dataschema, one.frame) for one in self._newest.values()}
        self._fits = {one.type: fitting(one.schema) for one in self._newest.values()}
        by_frame = {one.frame: one for one in shipped}
        by_frame |= {registered[one.dataschema]: one for one in shipped if registered}
        self._schemas = {frame: (len(frame), one.schema, self._reader(one)) for frame, one in by_frame.items()}
        self._arrays = {frame: tuple(map(array_of, schemas[1:])) for frame, schemas in self._schemas.items()}
        self._written_as = {frame: (one.type, one.dataschema) for frame, one in by_frame.items()}
        self._written = {frame: self._schemas_of(frame, one) for frame, one in by_frame.items()}

    @property
    def types(self) -> list[str]:
        """Every public type, e.g. `lyceum.billing.order.paid.v1`."""
        return sorted(self._newest)

    def encode(self, type_name: str, datum: Mapping[str, Any]) -> bytes:
        """Framed bytes of `datum`. Raises KeyError for an unknown type, `DoesNotFit` for a datum that would be read
        back differently, and ValueError or TypeError for a datum with missing or unknown fields."""
        frame = self._frames[type_name]
        self._fits[type_name](datum)
        buffer = io.BytesIO()
        buffer.write(frame)
        schemaless_writer(buffer, self._newest[type_name].schema, datum, strict=True)
        return buffer.getvalue()

    def decode(self, value: bytes) -> Any:
        """The datum, resolved to the newest minor of its type. Raises `UnknownFingerprint`."""
        framed = self._schemas.get(value[:HEADER_BYTES]) or self._schemas.get(value[:REGISTERED_BYTES])
        if framed is None:
            raise UnknownFingerprint(_named(value))
        header_bytes, writer, reader = framed
        source = io.BytesIO(value)
        source.seek(header_bytes)
        return schemaless_reader(source, writer, reader)

    def decode_all(self, values: Sequence[bytes]) -> list[Any]:
        """`decode` of each value, in order; for many values it takes a fifth less time."""
        for header_bytes in (HEADER_BYTES, REGISTERED_BYTES):
            frames = [value[:header_bytes] for value in values]
            kinds = set(frames)
            if len(kinds) * WORTH_IT <= len(values) and kinds <= self._arrays.keys():
                try:
                    return self._together(kinds, frames, [value[header_bytes:] for value in values])
                except Malformed:
                    break
        return [self.decode(value) for value in values]

    def _together(self, kinds: set[bytes], frames: Sequence[bytes], datums: Sequence[bytes]) -> list[Any]:
        if len(kinds) == 1:
            return read_many(datums, *self._arrays[frames[0]])
        groups = grouped(frames, datums)
        found = {frame: iter(read_many(group, *self._arrays[frame])) for frame, group in groups.items()}
        return [next(found[frame]) for frame in frames]

    def _reader(self, writer: Shipped) -> Any:
        """The reader schema; None if it equals the writer schema."""
        newest = self._newest[writer.type]
        return None if newest is writer else newest.schema

    def written_as(self, value: bytes) -> tuple[str, str]:
        """Public type and `ce_dataschema` of a framed value; the same in both framings. Raises
        `UnknownFingerprint`."""
        written_as = self._written_as.get(value[:HEADER_BYTES]) or self._written_as.get(value[:REGISTERED_BYTES])
        if written_as is None:
            raise UnknownFingerprint(_named(value))
        return written_as

    def written(self, value: bytes) -> Written | None:
        """The schemas of a framed value; None if this build does not have its schema."""
        return self._written.get(value[:HEADER_BYTES]) or self._written.get(value[:REGISTERED_BYTES])

    def _schemas_of(self, frame: bytes, one: Shipped) -> Written:
        schema, newest = (expand_schema(json.loads(shipped.text)) for shipped in (one, self._newest[one.type]))
        return Written(one.type, frame, schema, newest)


def _named(value: bytes) -> str:
    """The schema that a frame names, for error messages."""
    if len(value) >= REGISTERED_BYTES and value[:1] == REGISTERED:
        return f"id {int.from_bytes(value[1:REGISTERED_BYTES], 'big')} in the registry of SCHEMA_REGISTRY_URL"
    if len(value) >= HEADER_BYTES and value[:2] == MARKER:
        return f"fingerprint {value[2:HEADER_BYTES].hex()}"
    return "a fingerprint or an id: the value is framed in neither way"
