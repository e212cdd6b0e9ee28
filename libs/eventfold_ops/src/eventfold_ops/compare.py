"""`compare PROJECTION`: fold it anew beside the live one and say whether both hold the same."""

from __future__ import annotations

import argparse

from eventfold_ops import rebuild
from eventfold_ops.deployment import Deployment


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `compare`."""
    parser = commands.add_parser("compare", help="fold a projection anew and say whether the live one is equal")
    parser.set_defaults(run=run)
    parser.add_argument("projection", help="its name, as in fold_position")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 when equal, else 1; nothing is changed. Raises `EventfoldError`."""
    projection = deployment.projection(arguments.projection)
    return await rebuild.comparison(deployment, projection, as_json=arguments.json)
