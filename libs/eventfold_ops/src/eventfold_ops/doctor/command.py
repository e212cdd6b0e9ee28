"""`eventfold doctor`: one line per check, with the next step for each one that fails."""

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
    parser.add_argument("--quick", action="store_true", help="leave out what reads the whole store: sequence and types")
    parser.set_defaults(run=run)


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Print the findings, and which checks were left out. Returns 1 if something is broken."""
    findings = await examine(deployment, quick=arguments.quick)
    counts = Counter(finding.state for finding in findings)
    if arguments.json:
        listed = [asdict(one) for one in findings]
        say_json({"service": deployment.name, "quick": arguments.quick, "findings": listed, "counts": counts})
    else:
        for finding in findings:
            say(finding.line)
        summary = ", ".join(f"{counts[state]} {state}" for state in ("ok", "warning", "broken"))
        say(f"{summary}; sequence and stored types were left out" if arguments.quick else summary)
    return 1 if counts["broken"] else 0
