"""`reco prepare|serve|work|relay|learn`, and `reco evaluate`, which needs no settings."""

from __future__ import annotations

import sys

EVALUATE = "evaluate"


def run() -> None:
    """Run what the command line says. Leaves with its exit status."""
    if sys.argv[1:2] == [EVALUATE]:
        from reco.evaluation.command import main as evaluate

        sys.exit(evaluate(sys.argv[2:]))
    from reco.bootstrap import DEFINITION
    from servicekit.runtime import main

    main(DEFINITION)


if __name__ == "__main__":
    run()
