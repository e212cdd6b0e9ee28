"""The contract that all generated clients are written from, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from lyceum_generate.clients import model
from lyceum_generate.clients.comments import comments
from lyceum_generate.methods import described, pool_of


@dataclass(frozen=True)
class Contract:
    """Calls in the order of the protos, and their messages, each after those that it holds."""

    calls: Sequence[model.Call]
    messages: Sequence[model.Message]

    def calls_by_service(self) -> Mapping[str, Sequence[model.Call]]:
        """The calls of each service, by its name."""
        return {name: list(found) for name, found in groupby(self.calls, lambda one: one.service)}

    def messages_by_context(self) -> Mapping[str, Sequence[model.Message]]:
        """The messages of each context, in their order."""
        contexts = sorted({one.context for one in self.messages})
        return {name: [one for one in self.messages if one.context == name] for name in contexts}


def contract(protos: Path, descriptors: Path) -> Contract:
    """The public contract. Raises `NoRoad`, `NoClientType`."""
    docs, found = comments(protos), list(described(pool_of(descriptors)))
    calls = model.calls(found, docs)
    return Contract(calls, model.messages(calls, model.pool_of_messages(found, docs)))
