"""`eventfold doctor`: every check on a line, and what to do where one fails."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict

from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.examining import examine
from eventfold_ops.output import say, say_json


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`doctor`."""
    parser = commands.add_parser("doctor", help="check the deployment and say what to do; status 1 if broken")
    parser.set_defaults(run=run)


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Print the findings; 1 when something is broken."""
    findings = await examine(deployment)
    counts = Counter(finding.state for finding in findings)
    if arguments.json:
        say_json({"service": deployment.name, "findings": [asdict(one) for one in findings], "counts": counts})
    else:
        for finding in findings:
            say(finding.line)
        say(", ".join(f"{counts[state]} {state}" for state in ("ok", "warning", "broken")))
    return 1 if counts["broken"] else 0
