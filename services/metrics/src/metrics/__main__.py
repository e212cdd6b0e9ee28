"""`metrics prepare|serve|work|relay|report`; and `metrics fit`, which needs no settings of a service."""

from __future__ import annotations

import sys

from servicekit.arithmetic import in_one_thread
from servicekit.starting import end_on_sigterm


def run() -> None:
    """Run what the command line says. Leaves with its exit status."""
    end_on_sigterm()
    in_one_thread()
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
