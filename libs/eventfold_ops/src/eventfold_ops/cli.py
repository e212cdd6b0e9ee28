"""`eventfold --app billing.bootstrap:deployment COMMAND`: operating one service's store, topics and folds.

Exit status: 0 done (or nothing is broken); 1 refused or broken, with a sentence that names the next step; 2 usage.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from eventfold.errors import EventfoldError
from eventfold_ops import compare, dlq_commands, intent_commands, looking, rebuild, recover, replay, switch
from eventfold_ops.deployment import Deployment, NoSuchApp, NotConfigured, load
from eventfold_ops.doctor import command as doctor_command
from eventfold_ops.failures import ADVISED, sentence
from eventfold_ops.output import Refused

Run = Callable[[Deployment, argparse.Namespace], Awaitable[int]]

COMMANDS: Sequence[Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None]] = (
    dlq_commands.add_to,
    intent_commands.add_to,
    doctor_command.add_to,
    looking.add_to,
    rebuild.add_to,
    compare.add_to,
    replay.add_to,
    recover.add_to,
    switch.add_to,
)
"""Each function adds its parsers, with `run` (see `Run`) among their defaults. A new command needs a module and a line
here."""

REFUSALS: tuple[type[Exception], ...] = (EventfoldError, NoSuchApp, NotConfigured, Refused, *ADVISED)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="eventfold", description="Operate one service's store, topics and folds.")
    root.add_argument("--app", default=os.environ.get("EVENTFOLD_APP"), help="module:function; default: EVENTFOLD_APP")
    root.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add_to in COMMANDS:
        add_to(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Blocks until it is done."""
    root = parser()
    arguments = root.parse_args(argv)
    if not arguments.app:
        root.error("say which service: --app billing.bootstrap:deployment, or EVENTFOLD_APP")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we report an absent broker in one sentence
    run: Run = arguments.run
    try:
        return asyncio.run(_run(run, load(arguments.app), arguments))
    except REFUSALS as refused:
        sys.stderr.write(f"eventfold: {sentence(refused)}\n")
        return 1


async def _run(run: Run, deployment: Deployment, arguments: argparse.Namespace) -> int:
    return await run(deployment, arguments)
