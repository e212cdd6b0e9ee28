"""What the service tells others: nothing yet. It decides nothing that another service has to know."""

from __future__ import annotations

from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent | None:
    """No private event has a public form."""
    return None
