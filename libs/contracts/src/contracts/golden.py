"""Goldens: one sample for every schema version ever shipped, as JSON and as its encoded bytes.

`python -m contracts.golden` adds samples for new versions to `schemas/golden`; it never touches an existing one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.avro import AvroCodec, schema_folder, shipped_schemas

_TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def golden_files(folder: Path) -> list[Path]:
    """The JSON files of all goldens, by name."""
    return sorted(folder.glob("*.json"))


def read_golden(path: Path) -> dict[str, Any]:
    """A golden's datum, with its times as datetimes."""
    return json.loads(path.read_text(encoding="utf-8"), object_hook=_with_times)  # type: ignore[no-any-return]


def _with_times(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name.endswith("_at") and value is not None else value
        for name, value in entry.items()
    }


def sample(schema: Any, named: dict[str, Any]) -> Any:
    """A datum that fits `schema`, every optional field set."""
    if isinstance(schema, str):
        plain: dict[str, Any] = {
            "string": "样本 sample",
            "long": 1234567890123,
            "int": 4,
            "boolean": True,
            "double": 0.25,
        }
        return sample(named[schema], named) if schema in named else plain[schema]
    if isinstance(schema, list):
        return sample(next(part for part in schema if part != "null"), named)
    if schema.get("logicalType") == "timestamp-micros":
        return _TIME
    if schema["type"] == "array":
        return [sample(schema["items"], named)]
    if schema["type"] == "record":
        named[schema["name"]] = schema
        return {field["name"]: sample(field["type"], named) for field in schema["fields"]}
    return sample(schema["type"], named)


def add_missing(folder: Path) -> list[str]:
    """Write a golden for every newest version without one; returns their names."""
    codec, added = AvroCodec(), []
    for one in shipped_schemas(schema_folder()):
        path = folder / f"{one.type}.{one.minor}.json"
        if path.exists():
            continue
        datum = sample(one.schema, {})
        path.with_suffix(".bin").write_bytes(codec.encode(one.type, datum))
        path.write_text(json.dumps(datum, default=datetime.isoformat, ensure_ascii=False, indent=2) + "\n")
        added.append(path.stem)
    return added


if __name__ == "__main__":
    print("\n".join(add_missing(Path("schemas/golden"))))
