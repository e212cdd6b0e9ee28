"""Private events to and from JSON: one name and one integer version per class, upcast when they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cattrs.preconf.orjson import make_converter

from eventfold.errors import Unrecordable
from eventfold.vocabulary.exact import Checks, Inexact

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Stored = Mapping[type[Any], tuple[str, int]]
"""The stored name and current version of each class of private events."""


def json_converter() -> Any:
    """A cattrs converter to and from the data that orjson writes: dataclasses, collections, and times as ISO text."""
    converter = make_converter()
    converter.register_unstructure_hook(datetime, lambda value: value.isoformat())
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    return converter


class UnknownEventType(Exception):
    """The store holds a type or version that this build cannot read: deploy the build that wrote it."""

    def __init__(self, type_name: str, version: int) -> None:
        super().__init__(f"no class for stored event {type_name} version {version}")
        self.type_name = type_name
        self.version = version


class EventCodec:
    """Maps frozen dataclasses to `(type, version, JSON-able dict)` and back.

    `types` gives each class its stored name and current version. `upcasters[(name, n)]` turns a dict of version n into
    version n + 1. Each is a small pure step, and is never edited once shipped. Raises ValueError if two classes share a
    name: one would be read as the other.
    """

    def __init__(
        self,
        types: Stored,
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self._names = dict(types)
        for stored in (names := [name for name, _ in types.values()]):
            if names.count(stored) > 1:
                raise ValueError(f"two event classes are stored under the name {stored}")
        self._classes = {name: (cls, version) for cls, (name, version) in types.items()}
        self._upcasters = dict(upcasters or {})
        self._converter = json_converter()
        self._checks = Checks(self._converter)

    @property
    def types(self) -> Stored:
        """Stored name and current version of every event class."""
        return self._names

    def encode(self, event: Any) -> tuple[str, int, dict[str, Any]]:
        """Stored name, version and data of `event`. Raises `Unrecordable` if a part of it would be read back as another
        value or not at all, and KeyError for a class that was never declared."""
        name, version = self._names[type(event)]
        try:
            self._checks.of_class(type(event))(event)
        except Inexact as inexact:
            raise Unrecordable(name, inexact.path, inexact.reason) from inexact
        return name, version, self._converter.unstructure(event)

    def decode(self, name: str, version: int, data: dict[str, Any]) -> Any:
        """The typed event, upcast to the current version. Raises `UnknownEventType`."""
        if name not in self._classes or version > self._classes[name][1]:
            raise UnknownEventType(name, version)
        cls, current = self._classes[name]
        for step in range(version, current):
            data = self._upcasters[(name, step)](data)
        return self._converter.structure(data, cls)
