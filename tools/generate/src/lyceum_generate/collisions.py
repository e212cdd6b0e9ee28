"""Finds names that would mean two things, because the services share a broker, a catalogue and readers of events."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from contracts.collisions import shared
from eventfold import Process, Projection
from eventfold.vocabulary.public import topic_of
from lyceum_generate.public import Emitted, emitted
from lyceum_generate.services import definitions, stream_types
from lyceum_tree import ROOT
from servicekit.definition import ServiceDefinition

SOURCES = ("libs/*/src", "services/*/src")

Claim = tuple[str, str]
"""A name and its claimant."""


class NamesCollide(ValueError):
    """Names with two claimants, one sentence each."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__("; ".join(found))
        self.found = found


def complaints(root: Path = ROOT) -> list[str]:
    """One sentence for each name with two claimants; empty if every name means one thing."""
    services = definitions()
    return [
        *_twice("stream type", _streams()),
        *_ambiguous(name for name, _ in _streams()),
        *_twice("stored event", _stored(services)),
        *_twice("topic", ((topic, one.name) for one in services.values() for topic in one.topics)),
        *_twice("public type", ((one.public_type, name) for name in services for one in _first_of_each(name))),
        *_undeclared(services),
        *_twice("source", ((one.source, one.name) for one in services.values())),
        *_within(services),
        *_twice("UUID namespace", _namespaces(root)),
    ]


def _twice(kind: str, claims: Iterator[Claim]) -> list[str]:
    return [
        f"{kind} {together[0][0]} is claimed by {' and '.join(claimant for _, claimant in together)}"
        for together in shared(claims, lambda claim: claim[0])
    ]


def _streams() -> Iterator[Claim]:
    """Stream types must be unique over all services, because an event's id is derived from its stream's name alone."""
    for service in definitions():
        yield from ((name, service) for name in sorted({kind.name for kind in stream_types(service).values()}))


def _ambiguous(names: Iterator[str]) -> list[str]:
    """A stream's name is its type, a hyphen and its id, so a type must not contain a hyphen."""
    return [
        f"stream type {name}: streams of two types could have one name; leave out the hyphen"
        for name in names
        if "-" in name
    ]


def _stored(services: Mapping[str, ServiceDefinition]) -> Iterator[Claim]:
    """Events of `eventfold.timers.intents` are left out: every service with intents has them."""
    for service, definition in services.items():
        yield from (
            (name, service)
            for event, (name, _) in definition.codec.types.items()
            if not event.__module__.startswith("eventfold.")
        )


def _first_of_each(service: str) -> Iterator[Emitted]:
    """One entry for each public type: two private events of a service may have the same public type."""
    yield from {one.public_type: one for one in emitted(service)}.values()


def _undeclared(services: Mapping[str, ServiceDefinition]) -> list[str]:
    return [
        f"public type {one.public_type} of {name} goes to a topic that {name} does not declare"
        for name, service in services.items()
        for one in emitted(name)
        if topic_of(one.public_type) not in service.topics
    ]


def _within(services: Mapping[str, ServiceDefinition]) -> list[str]:
    """Within a service, positions are stored by the handler's name, and rows by their table's name."""
    found = []
    for service in services.values():
        handlers: list[Projection | Process] = [*service.projections, *service.processes]
        found += _twice(f"{service.name}: handler", ((one.name, type(one).__name__) for one in handlers))
        tables = ((table.name, one.name) for one in service.projections for table in one.tables)
        found += _twice(f"{service.name}: read table", tables)
    return found


def _namespaces(root: Path) -> Iterator[Claim]:
    """Every `UUID("…")` in the sources: ids derived from different namespaces must differ."""
    for pattern in SOURCES:
        for file in sorted(path for folder in root.glob(pattern) for path in folder.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _is_uuid(node):
                    yield ast.literal_eval(node.args[0]).lower(), str(file.relative_to(root))


def _is_uuid(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "UUID" and len(call.args) == 1 and isinstance(call.args[0], ast.Constant)
