"""What the load asked for and what was acknowledged, on disk: a line when it is first sent, a line when it is done."""

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
    """One command of a member's. `ids` is what its answer said; `gone` when a restore took it back."""

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
        """Note an act before it is asked for."""
        with self._lock:
            act = Act(len(self.acts), op, member, on)
            self.acts.append(act)
            self._write(act)
        return act

    def done(self, act: Act, **ids: str) -> None:
        """Note that it was acknowledged, and with what."""
        with self._lock:
            act.ids, act.done = ids, True
            self._write(act)

    def open(self) -> list[Act]:
        """What was sent and not acknowledged."""
        return [act for act in self.acts if not act.done]

    def standing(self, op: Op) -> list[Act]:
        """What was acknowledged and not taken back."""
        return [act for act in self.acts if act.op == op and act.done and not act.gone]

    def take_back(self, services: set[str], since: int) -> int:
        """A restore of `services` undid what they did from the act of that number on; returns how many that were."""
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
