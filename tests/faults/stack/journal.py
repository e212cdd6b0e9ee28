"""The load's commands and acknowledgements on disk: a line when a command is first sent, a line when it is done."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Op = Literal["member", "content", "view", "order"]
SERVICE_OF: dict[Op, str] = {"member": "identity", "content": "catalog", "view": "catalog", "order": "billing"}


@dataclass(slots=True)
class Act:
    """One command of a member. `ids` holds the ids in its answer; `gone` is True if a restore undid it."""

    number: int
    op: Op
    member: str
    on: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    done: bool = False
    gone: bool = False


class Journal:
    """All acts in order. Threads may share it."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a")
        self._lock = threading.Lock()
        self.acts: list[Act] = []

    def sent(self, op: Op, member: str, on: str = "") -> Act:
        """Record an act before it is sent."""
        with self._lock:
            act = Act(len(self.acts), op, member, on)
            self.acts.append(act)
            self._write(act)
        return act

    def done(self, act: Act, **ids: str) -> None:
        """Record that it was acknowledged, with the ids in the answer."""
        with self._lock:
            act.ids, act.done = ids, True
            self._write(act)

    def open(self) -> list[Act]:
        """Acts that were sent and not acknowledged."""
        return [act for act in self.acts if not act.done]

    def standing(self, op: Op) -> list[Act]:
        """Acts that were acknowledged and not undone."""
        return [act for act in self.acts if act.op == op and act.done and not act.gone]

    def take_back(self, services: set[str], since: int) -> int:
        """A restore of `services` undid their acts from number `since` on; returns how many."""
        undone = [act for act in self.acts[since:] if SERVICE_OF[act.op] in services and not act.gone]
        for act in undone:
            act.gone = True
            self._write(act)
        return len(undone)

    def _write(self, act: Act) -> None:
        self._file.write(json.dumps(asdict(act)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
