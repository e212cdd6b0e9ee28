"""The service publishes nothing yet: no other service needs its decisions."""

from __future__ import annotations

from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent | None:
    """No private event has a public form."""
    return None
