"""Keeps the metrics page of a halted worker up for a while before the process leaves, so that monitoring sees it."""

from __future__ import annotations

import signal
import sys
import threading
import time

from eventfold import telemetry

_kept_for_s: list[float] = [0.0]


def keep_page_for(seconds: float) -> None:
    """Set how long `keep_page` lasts. The default is 0, for a process that serves no page."""
    _kept_for_s[0] = seconds


def keep_page() -> None:
    """Show on the metrics page that the process has halted, is not ready, and which failure halted it. Then block.

    Call it in the handler of the failure. On the main thread, everything in the process except other threads stands
    still meanwhile. On any other thread the process would go on, so there it returns at once. SIGTERM and SIGINT end
    the process meanwhile.
    """
    failure = sys.exc_info()[0]
    telemetry.FOLD_HALTED.labels(failure.__name__ if failure else "ClientEnded").set(1)
    for metric in telemetry.FOLD_READY.collect():
        for sample in metric.samples:
            telemetry.FOLD_READY.labels(*sample.labels.values()).set(0)
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    time.sleep(_kept_for_s[0])
