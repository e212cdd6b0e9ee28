"""How many threads the libraries of linear algebra use."""

from __future__ import annotations

import os

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def in_one_thread() -> None:
    """Let this process and its children compute in one thread, unless the environment says otherwise: vectors and
    matrices here are small, and threads wait for each other longer than they help. Call it before numpy is imported."""
    for name in THREADS:
        os.environ.setdefault(name, "1")
