"""Required settings of event topics: a topic keeps its history, and accepts every record that its service may write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventfold.publish.publisher import MAX_BATCH_BYTES

NEVER_MS: Final = 100 * 365 * 86_400_000
"""A time limit of a hundred years or more counts as no limit."""

CREATED: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    # The broker stamps a record on arrival. Under CreateTime it would refuse for good a record whose time is more than
    # an hour ahead of the broker's clock, whichever clock is wrong. Business time is in `ce_time`, which no broker
    # checks.
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": "1048588",
}
"""Settings of a new topic."""

ADOPTED: Final = ("message.timestamp.type", "max.message.bytes")
"""Settings that are also made on an existing topic, unless they are set on it already: no written record depends on
them."""


def complaint(settings: Mapping[str, str], replicas: int | None) -> str | None:
    """Why a topic with these effective settings and this number of replicas is unsuitable; None if it is suitable.
    Settings that the broker does not report, and an unknown number of replicas, are not judged."""
    policy = settings.get("cleanup.policy", "")
    if "compact" in policy:
        return "is compacted, which deletes history; set cleanup.policy=delete"
    for name in ("retention.ms", "retention.bytes"):
        if "delete" in policy and settings.get(name, "-1") != "-1":
            return f"deletes history: {name} is {settings[name]}; set it to -1"
    return _refuses(settings) or _too_few(settings, replicas)


def _refuses(settings: Mapping[str, str]) -> str | None:
    for name in ("max.message.bytes", "segment.bytes"):
        if int(settings.get(name, MAX_BATCH_BYTES)) < MAX_BATCH_BYTES:
            return f"takes batches of {settings[name]} bytes, and {MAX_BATCH_BYTES} may be written; raise {name}"
    for name in ("message.timestamp.before.max.ms", "message.timestamp.after.max.ms"):
        bounded = int(settings.get(name, NEVER_MS)) < NEVER_MS
        if bounded and settings.get("message.timestamp.type") != "LogAppendTime":
            return f"refuses events by their time ({name}); set message.timestamp.type=LogAppendTime"
    return None


def _too_few(settings: Mapping[str, str], replicas: int | None) -> str | None:
    needed = int(settings.get("min.insync.replicas", 1))
    if replicas is not None and replicas < needed:
        return f"has {replicas} replicas and takes nothing with fewer than {needed}; lower min.insync.replicas"
    return None
