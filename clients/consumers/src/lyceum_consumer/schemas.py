"""The writer schemas of `schemas/avro`, found by the fingerprint at the head of each value."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

from lyceum_consumer.errors import UnknownSchema

MARKER: Final = b"\xc3\x01"
HEAD_BYTES: Final = 10
"""Marker (2) and CRC-64-AVRO of the schema's parsing canonical form (8, little endian)."""
_FILE = re.compile(r"(?P<subject>[a-z]+)_(?P<action>[a-z_]+)\.v(?P<major>\d+)\.(?P<minor>\d+)\.avsc")


@dataclass(frozen=True)
class Schema:
    """One file: a public type at one minor."""

    type: str
    minor: int
    parsed: Any


class Schemas:
    """Reads values under the exact schema they were written with, as the newest minor of their major."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError for a folder without schemas."""
        self._by_head: dict[bytes, Schema] = {}
        self._newest: dict[str, Schema] = {}
        for path in sorted(folder.glob("*/*.avsc")):
            if found := _FILE.fullmatch(path.name):
                kind = f"lyceum.{path.parent.name}.{found['subject']}.{found['action']}.v{found['major']}"
                self._add(Schema(kind, int(found["minor"]), json.loads(path.read_text(encoding="utf-8"))))
        if not self._by_head:
            raise ValueError(f"{folder} holds no schemas")

    def _add(self, one: Schema) -> None:
        crc = fingerprint(to_parsing_canonical_form(one.parsed), "CRC-64-AVRO")  # its bytes as on the wire
        kept = Schema(one.type, one.minor, parse_schema(one.parsed))
        self._by_head[MARKER + bytes.fromhex(crc)] = kept
        if one.type not in self._newest or self._newest[one.type].minor < one.minor:
            self._newest[one.type] = kept

    def topics(self) -> list[str]:
        """The topic of each subject: `lyceum.billing.order.paid.v1` is on `lyceum.billing.order`."""
        return sorted({kind.rsplit(".", 2)[0] for kind in self._newest})

    def decode(self, value: bytes) -> Mapping[str, Any]:
        """The event in a value. Raises `UnknownSchema`."""
        head = value[:HEAD_BYTES]
        if head not in self._by_head:
            raise UnknownSchema(f"the fingerprint {head[2:].hex()}" if head[:2] == MARKER else f"the head {head.hex()}")
        writer = self._by_head[head]
        found = schemaless_reader(io.BytesIO(value[HEAD_BYTES:]), writer.parsed, self._newest[writer.type].parsed)
        return dict(found)  # type: ignore[arg-type]
