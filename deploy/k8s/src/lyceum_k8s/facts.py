"""What the code says of each service, as far as its deployment depends on it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from eventfold import FoldGroup
from lyceum_tree import host, services
from servicekit.definition import ServiceDefinition
from servicekit.operating import consumer_group
from servicekit.settings import ServiceSettings


@dataclass(frozen=True)
class Fold:
    """A group of folds: its consumer group on Kafka, and the topics that it reads."""

    name: str
    consumer_group: str
    topics: tuple[str, ...]

    @property
    def host(self) -> str:
        """Its name in names of objects, which have no underscores."""
        return host(self.name)


@dataclass(frozen=True)
class Facts:
    """A service: the topics that it emits on, its groups of folds, its further roles, its own settings with their
    defaults, and whom outside the cluster its server calls (empty: nobody), and each of its further roles."""

    name: str
    topics: tuple[str, ...]
    folds: tuple[Fold, ...]
    further: tuple[str, ...]
    settings: Mapping[str, str]
    calls_out: str
    roles_call_out: Mapping[str, str]

    @property
    def host(self) -> str:
        """Its name in names of objects, which have no underscores."""
        return host(self.name)

    @property
    def read(self) -> tuple[str, ...]:
        """The topics that any of its folds reads."""
        return tuple(sorted({topic for fold in self.folds for topic in fold.topics}))


@cache
def facts() -> Mapping[str, Facts]:
    """Every service of the tree by name, in the tree's order."""
    return {name: _of(name) for name in services()}


def _of(name: str) -> Facts:
    definition: ServiceDefinition = importlib.import_module(f"{name}.bootstrap").DEFINITION
    return Facts(
        name=name,
        topics=tuple(sorted(definition.topics)),
        folds=tuple(_fold(definition, group) for group in definition.groups),
        further=services()[name].further,
        settings=_own_settings(definition.settings),
        calls_out=services()[name].calls_out,
        roles_call_out=services()[name].roles_call_out,
    )


def _fold(definition: ServiceDefinition, group: FoldGroup) -> Fold:
    topics = {topic for handler in group.handlers for topic in handler.topics}
    return Fold(group.name, consumer_group(definition.name, [group.name]), tuple(sorted(topics)))


def _own_settings(settings: type[ServiceSettings]) -> Mapping[str, str]:
    """The settings beyond the common ones as environment variables with their defaults; those without one are not
    there."""
    own = {name: field for name, field in settings.model_fields.items() if name not in ServiceSettings.model_fields}
    defaults = {name: field.get_default(call_default_factory=True) for name, field in own.items()}
    return {name.upper(): _spelt(value) for name, value in defaults.items() if value not in (None, PydanticUndefined)}


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Path):
        return str(value)
    return json.dumps(value)
