"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `next_step` is empty if nothing needs to be done."""

    check: str
    state: State
    says: str
    next_step: str = ""

    @property
    def line(self) -> str:
        """The finding as one line."""
        return f"{self.state:8} {self.check}: {self.says}" + (f"; {self.next_step}" if self.next_step else "")


def ok(check: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", says)


def warning(check: str, says: str, next_step: str) -> Finding:
    """It works, but somebody should look."""
    return Finding(check, "warning", says, next_step)


def broken(check: str, says: str, next_step: str) -> Finding:
    """It does not work until somebody acts."""
    return Finding(check, "broken", says, next_step)
