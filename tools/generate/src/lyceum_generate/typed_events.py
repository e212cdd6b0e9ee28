"""Generates `contracts.events.<context>`: each public type with the fields of its events, from its schema's newest
minor."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.avro import Shipped, schema_folder, shipped_schemas
from eventfold.vocabulary.public import topic_of

HEAD = '"""Public events of {context}. Generated from schemas/avro by `make generate`."""'
_PLAIN: Mapping[str, str] = {
    "string": "str",
    "long": "int",
    "int": "int",
    "boolean": "bool",
    "double": "float",
    "bytes": "bytes",
    "null": "None",
}
_LOGICAL: Mapping[str, str] = {"timestamp-micros": "datetime", "date": "date"}
STYLE = Path(__file__).parents[4] / "pyproject.toml"
TOOL_S = 60.0


class NotTyped(TypeError):
    """A schema uses a construct that has no Python type here yet."""

    def __init__(self, schema: object) -> None:
        super().__init__(f"no Python type for {schema}: add it to lyceum_generate.typed_events")


def generate_typed_events(target: Path) -> None:
    """Replace `target` (the package `contracts.events`) with one module for each context."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "__init__.py").write_text('"""The public events, typed. Generated from schemas/avro."""\n')
    for context, types in _by_context(shipped_schemas(schema_folder())).items():
        (target / f"{context}.py").write_text(module(context, types), encoding="utf-8")
    format_with = [sys.executable, "-m", "ruff", "format", "--quiet", "--config", str(STYLE), str(target)]
    subprocess.run(format_with, check=True, timeout=TOOL_S)


def _by_context(shipped: Iterable[Shipped]) -> dict[str, list[Shipped]]:
    """The newest minor of each type, by context."""
    newest = {one.type: one for one in shipped}
    found: dict[str, list[Shipped]] = {}
    for one in newest.values():
        found.setdefault(one.type.split(".")[1], []).append(one)
    return found


def module(context: str, types: Sequence[Shipped]) -> str:
    """The source of one context's module, unformatted."""
    records: dict[str, str] = {}
    constants = [_constant(one, records) for one in types]
    topics = ", ".join(f'"{topic}"' for topic in sorted({topic_of(one.type) for one in types}))
    told = f'TOPICS: Final = ({topics},)\n"""What {context} emits on, without prefix."""'
    body = "\n\n\n".join([*records.values(), "\n".join([*constants, "", told])])
    times = [name for name in ("date", "datetime") if re.search(rf"^    \w+: .*\b{name}\b", body, re.MULTILINE)]
    imports = [f"from datetime import {', '.join(times)}"] if times else []
    lines = [
        HEAD.format(context=context),
        "",
        "from __future__ import annotations",
        "",
        *imports,
        "from typing import Final, TypedDict",
        "",
        "from eventfold import PublicType",
        "",
        "",
        body,
        "",
    ]
    return "\n".join(lines)


def _constant(one: Shipped, records: dict[str, str]) -> str:
    _, _, subject, action, major = one.type.split(".")
    suffix = "" if major == "v1" else f"_{major.upper()}"
    record = _record(json.loads(one.text), records, suffix.replace("_", ""))
    return f'{subject.upper()}_{action.upper()}{suffix}: Final = PublicType("{one.type}", {record})'


def _record(schema: Mapping[str, Any], records: dict[str, str], suffix: str = "") -> str:
    """Add the record, after the records that it contains; returns its name."""
    name = f"{schema['name']}{suffix}"
    fields = [_field(field, records) for field in schema["fields"]]
    doc = schema.get("doc", f"{name}, as its schema says.")
    source = "\n".join([f"class {name}(TypedDict):", f'    """{doc}"""', "", *fields])
    if records.setdefault(name, source) != source:
        raise NotTyped(f"two records named {name}")
    return name


def _field(field: Mapping[str, Any], records: dict[str, str]) -> str:
    line = f"    {field['name']}: {_type(field['type'], records)}"
    return f'{line}\n    """{field["doc"]}"""' if "doc" in field else line


def _type(schema: Any, records: dict[str, str]) -> str:
    if isinstance(schema, str):
        return _PLAIN.get(schema) or _known(schema, records)
    if isinstance(schema, list):
        inner = [_type(one, records) for one in schema if one != "null"]
        return " | ".join([*inner, "None"] if "null" in schema else inner)
    match schema["type"]:
        case "record":
            return _record(schema, records)
        case "array":
            return f"list[{_type(schema['items'], records)}]"
        case plain if "logicalType" in schema:
            return _LOGICAL[schema["logicalType"]]
        case plain:
            return _type(plain, records)


def _known(name: str, records: Mapping[str, str]) -> str:
    short = name.rsplit(".", 1)[-1]
    if short not in records:
        raise NotTyped(name)
    return short
