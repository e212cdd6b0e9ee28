"""How often a process collects garbage."""

from __future__ import annotations

import gc

COLLECT_AFTER = (500_000, 20, 20)
"""New objects before a collection of the youngest generation, and collections before one of each older generation. A
fetch of 8,000 records makes some 100,000 objects, and several are in flight. With a lower threshold every fetch is
searched, which takes a tenth of the time."""


def collect_less() -> None:
    """Collect now, and rarely from here on, for the whole process. Call it when everything is imported.

    Records in flight are hundreds of thousands of objects without cycles. Repeated searches for cycles among them, and
    among all imported objects, cost a worker or a relay a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
