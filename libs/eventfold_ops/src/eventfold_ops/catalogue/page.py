"""The catalogue as a page in Markdown."""

from __future__ import annotations

import json

from eventfold_ops.catalogue.events import Catalogue, EventType, Reader, Topic


def page(catalogue: Catalogue, head: str) -> str:
    """The whole page: `head`, a table of topics, and each type with its fields and its example."""
    return "\n".join([head, *_contents(catalogue), *(line for one in catalogue.topics for line in _topic(one))]) + "\n"


def _contents(catalogue: Catalogue) -> list[str]:
    lines = ["| topic | emitted by | types | read by |", "|---|---|---|---|"]
    for topic in catalogue.topics:
        readers = ", ".join(one.service for one in topic.readers) or "nobody yet"
        types = ", ".join(f"[{_short(one)}](#{one.name.replace('.', '')})" for one in topic.types)
        lines.append(f"| `{topic.name}` | {topic.service} | {types or 'none yet'} | {readers} |")
    return [*lines, ""]


def _short(one: EventType) -> str:
    return one.name.removeprefix(f"{one.topic}.")


def _topic(topic: Topic) -> list[str]:
    lines = [f"## {topic.name}", "", f"Emitted by {topic.service}. {_readers(topic)}", ""]
    return lines + [line for one in topic.types for line in _type(one)]


def _readers(topic: Topic) -> str:
    return f"Read by {'; '.join(map(_reader, topic.readers))}." if topic.readers else "Read by nobody yet."


def _reader(one: Reader) -> str:
    named = [("projection", one.projections), ("process", one.processes)]
    parts = [f"{kind} {', '.join(f'`{name}`' for name in names)}" for kind, names in named if names]
    return f"{one.service} ({'; '.join(parts)})"


def _type(one: EventType) -> list[str]:
    rows = [f"| `{field.path}` | {field.type} | {field.doc} |" for field in one.fields]
    example = json.dumps(one.example, ensure_ascii=False, indent=2)
    return [
        f"### {one.name}",
        "",
        one.doc,
        "",
        f"Versions shipped: {', '.join(one.versions)}. Partition key: {one.partition_key}.",
        "",
        "| field | type | |",
        "|---|---|---|",
        *rows,
        "",
        "```json",
        example,
        "```",
        "",
    ]
