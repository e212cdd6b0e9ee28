"""What a halted worker says, and that it never holds back what must not go on."""

from __future__ import annotations

import threading
import time

from prometheus_client import REGISTRY

from eventfold import telemetry
from eventfold.errors import OffsetGap
from eventfold.fold import halting

SHOWN_S = 60.0


def test_it_names_the_failure_and_returns_at_once_where_the_rest_would_go_on() -> None:
    telemetry.FOLD_READY.labels("halting-test").set(1)

    def halt() -> None:
        try:
            raise OffsetGap("topic", 0, 1, 2)
        except OffsetGap:
            halting.keep_page()

    halting.keep_page_for(SHOWN_S)
    try:
        started = time.monotonic()
        thread = threading.Thread(target=halt)
        thread.start()
        thread.join(SHOWN_S)
    finally:
        halting.keep_page_for(0.0)
    assert time.monotonic() - started < SHOWN_S / 2
    assert REGISTRY.get_sample_value("eventfold_fold_halted", {"reason": "OffsetGap"}) == 1
    assert REGISTRY.get_sample_value("eventfold_fold_ready", {"group": "halting-test"}) == 0
