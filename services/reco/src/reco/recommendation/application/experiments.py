"""Experiments: each member is in one arm, which follows from the member's id alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

METHODS = ("hybrid", "items", "members", "content", "popular")


@dataclass(frozen=True, slots=True)
class Experiment:
    """`arms` says how many of all members, as parts of their sum, are answered by which method."""

    name: str
    arms: Mapping[str, int]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.arms) - set(METHODS))
        if not self.name or unknown or not self.arms or min(self.arms.values()) < 1:
            raise ValueError(f"an experiment has a name and arms of 1 or more, out of {METHODS}; not {unknown}")

    def arm(self, member_id: str) -> str:
        """The member's arm: by the SHA-256 of the experiment's name and the member's id."""
        digest = hashlib.sha256(f"{self.name}/{member_id}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") % sum(self.arms.values())
        for arm, share in self.arms.items():
            if place < share:
                return arm
            place -= share
        raise AssertionError("the shares cover every place")
