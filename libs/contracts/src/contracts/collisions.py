"""Finds two things with one name. A value names its writer schema by a hash, so no two schemas may share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar


class Named(Protocol):
    """The names of a shipped schema."""

    @property
    def type(self) -> str:
        """The public type with its major."""

    @property
    def minor(self) -> int:
        """The minor."""

    @property
    def schema(self) -> Any:
        """The parsed schema."""

    @property
    def frame(self) -> bytes:
        """Marker and fingerprint."""


class SchemasCollide(ValueError):
    """A reader could not tell two schemas apart, or one schema is ambiguous."""

    def __init__(self, names: Iterable[str], reason: str) -> None:
        super().__init__(f"{' and '.join(names)}: {reason}")


Thing = TypeVar("Thing")


def shared(things: Iterable[Thing], key: Callable[[Thing], Hashable]) -> list[list[Thing]]:
    """Groups of things that have the same key."""
    found: dict[Hashable, list[Thing]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return [together for together in found.values() if len(together) > 1]


def check_schemas(shipped: Sequence[Named]) -> None:
    """Raise `SchemasCollide` for the first two that collide.

    Schemas collide if: two have the same type and minor; two have the same fingerprint, which ignores `doc`, `default`,
    `aliases` and `logicalType`; two types share a record name (majors of one type may); Kafka does not distinguish two
    topics; or a record has two fields of one name.
    """
    for together in shared(shipped, lambda one: (one.type, one.minor)):
        raise SchemasCollide(_named(together), "one version in two files")
    for together in shared(shipped, lambda one: one.frame):
        reason = (
            "one fingerprint: they differ at most in doc, default, aliases or logicalType, which it leaves out; a type "
            "needs a record name of its own, a minor another field"
        )
        raise SchemasCollide(_named(together), reason)
    subjects = {one.type.rpartition(".v")[0]: one for one in shipped}.values()  # majors of one may share a record name
    for together in shared(subjects, lambda one: one.schema["name"]):
        raise SchemasCollide(_named(together), f"one record name, {together[0].schema['name']}")
    for topics in shared({one.type.rsplit(".", 2)[0] for one in shipped}, lambda topic: topic.replace("_", ".")):
        raise SchemasCollide(sorted(topics), "Kafka refuses topics that differ in dots and underscores only")
    for one in shipped:
        _check_fields([one], one.schema)


def check_frames(frames: Mapping[str, bytes]) -> None:
    """Raise `SchemasCollide` if a registry gave one id to two schemas. `frames` is keyed by `dataschema`."""
    for together in shared(frames, frames.__getitem__):
        number = int.from_bytes(frames[together[0]][1:], "big")
        raise SchemasCollide(sorted(together), f"the registry gave both the id {number}")


def _check_fields(owner: Sequence[Named], schema: Any) -> None:
    if isinstance(schema, list):
        for part in schema:
            _check_fields(owner, part)
    if not isinstance(schema, dict):
        return
    fields = schema.get("fields", ())
    names = [name for field in fields for name in (field["name"], *field.get("aliases", ()))]
    for twice in shared(names, lambda name: name):
        raise SchemasCollide(_named(owner), f"{schema['name']} has two fields under the name {twice[0]}")
    for part in (schema.get("type"), schema.get("items"), schema.get("values"), *(field["type"] for field in fields)):
        _check_fields(owner, part)


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object. Refuses a repeated key, of which `json` would keep only the last value."""
    for together in shared([name for name, _ in pairs], lambda name: name):
        raise ValueError(f"the key {together[0]} stands twice")
    return dict(pairs)


def _named(together: Sequence[Named]) -> list[str]:
    return [f"{one.type}.{one.minor}" for one in together]
