"""`reco prepare|serve|work|relay|learn|verify`; and `reco evaluate|export|train`, which need no settings."""

from __future__ import annotations

import sys

from servicekit.arithmetic import in_one_thread
from servicekit.starting import end_on_sigterm


def run() -> None:
    """Run what the command line says. Leaves with its exit status."""
    end_on_sigterm()
    in_one_thread()
    match sys.argv[1:2]:
        case ["evaluate"]:
            from reco.evaluation.command import main as evaluate

            sys.exit(evaluate(sys.argv[2:]))
        case ["verify"]:
            from reco.verification.command import main as verify

            sys.exit(verify(sys.argv[2:]))
        case ["export"]:
            from reco.training.command import export

            sys.exit(export(sys.argv[2:]))
        case ["train"]:
            from reco.training.command import train

            sys.exit(train(sys.argv[2:]))
    from reco.bootstrap import DEFINITION
    from servicekit.runtime import main

    main(DEFINITION)


if __name__ == "__main__":
    run()
