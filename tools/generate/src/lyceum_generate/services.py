"""The services of the tree with their definitions, and their stream types."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, get_args, get_type_hints

from eventfold import StreamType
from lyceum_tree import services
from servicekit.definition import ServiceDefinition


class NoStreamType(Exception):
    """No stream type's `evolve` takes an event class: annotate its event parameter with a union that includes it."""

    def __init__(self, service: str, event: type[Any]) -> None:
        super().__init__(f"{service}: no StreamType in its domain evolves with {event.__name__}")
        self.event = event


@cache
def definitions() -> Mapping[str, ServiceDefinition]:
    """Every service of the tree by name."""
    return {name: importlib.import_module(f"{name}.bootstrap").DEFINITION for name in sorted(services())}


@cache
def stream_types(service: str) -> Mapping[type[Any], StreamType[Any, Any, Any]]:
    """The stream type that records each event class of a service. Raises `NoStreamType`."""
    found = {event: kind for kind in _declared(service) for event in _events(kind)}
    for event in definitions()[service].codec.types:
        if event not in found:
            raise NoStreamType(service, event)
    return found


def _declared(service: str) -> Iterator[StreamType[Any, Any, Any]]:
    for module in _domain(service):
        yield from (value for value in vars(module).values() if isinstance(value, StreamType))


def _domain(service: str) -> Iterator[ModuleType]:
    """The domain of the service or of each of its slices: modules called `domain`, or in a folder of that name."""
    package = importlib.import_module(service)
    for info in pkgutil.walk_packages(package.__path__, f"{service}."):
        if "domain" in info.name.split("."):
            yield importlib.import_module(info.name)


def _events(kind: StreamType[Any, Any, Any]) -> tuple[type[Any], ...]:
    """The event classes that `evolve` takes as its second parameter: one class or a union."""
    evolve = kind.decider.evolve
    hints = get_type_hints(evolve)
    names = evolve.__code__.co_varnames
    hint = hints[names[1]]
    return get_args(hint) or (hint,)
