"""A halted worker's page of metrics stays up for a while before its process leaves, so that somebody sees it."""

from __future__ import annotations

import signal
import sys
import threading
import time

from eventfold import telemetry

_kept_for_s: list[float] = [0.0]


def keep_page_for(seconds: float) -> None:
    """From now on `keep_page` lasts so long; 0, as it is at first, where the process serves no page."""
    _kept_for_s[0] = seconds


def keep_page() -> None:
    """Say on the process's page that it has halted, and is not ready, and on what; then block.

    Call it in the handler of what the worker halts on. Everything of the process but threads stands still; on another
    than the main thread it would go on, so there this returns at once. SIGTERM and SIGINT end the process meanwhile.
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
