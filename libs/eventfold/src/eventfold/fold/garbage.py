"""How often a process looks for garbage."""

from __future__ import annotations

import gc

COLLECT_AFTER = (500_000, 20, 20)
"""Objects made before a collection of the young, and collections before one of the older and of all. A fetch of 8,000
records is some 100,000 objects, and several are in flight: below that every fetch is searched, a tenth of the time."""


def collect_less() -> None:
    """Collect now, and rarely from here on, for the whole process. Call it when everything is imported.

    Records in flight are hundreds of thousands of objects without a cycle; looking for cycles among them again and
    again, and among all that was imported, costs a worker or a relay a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
