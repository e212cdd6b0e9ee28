"""`metrics prepare|serve|work|relay|report`; and `metrics fit`, which needs no settings of a service."""

from __future__ import annotations

import os
import sys

ARITHMETIC = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def run() -> None:
    """Run what the command line says. Leaves with its exit status."""
    for name in ARITHMETIC:  # vectors here are short: threads wait for each other longer than they help
        os.environ.setdefault(name, "1")
    if sys.argv[1:2] == ["fit"]:
        from metrics.fitting.command import main as fit

        sys.exit(fit(sys.argv[2:]))
    if sys.argv[1:2] == ["report"]:
        from metrics.report.command import main as report

        sys.exit(report(sys.argv[2:]))
    from metrics.bootstrap import DEFINITION
    from servicekit.runtime import main

    main(DEFINITION)


if __name__ == "__main__":
    run()
