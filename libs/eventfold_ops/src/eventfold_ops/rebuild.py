"""`rebuild PROJECTION`: fold a projection from zero into a shadow while the live one serves, then swap.

One transaction swaps, at a moment when the shadow stands where the live projection does: the worker goes on from the
same positions as before. A killed rebuild is resumed from the shadow's own positions. If other code is deployed now, it
begins anew instead, because the rows would come from two different folds. So it does under other settings, which must
be asked for (`--new-settings`): workers and servers that still have the old ones are refused from the swap on.
"""

from __future__ import annotations

import argparse

from eventfold import Connection, Projection
from eventfold_ops import compare, shadow
from eventfold_ops.at_live import at_live_positions
from eventfold_ops.deployment import Deployment
from eventfold_ops.output import say_either
from eventfold_ops.shadow import Shadow


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `rebuild`."""
    parser = commands.add_parser("rebuild", help="fold a projection anew beside the live one, and swap")
    parser.set_defaults(run=run)
    parser.add_argument("projection", help="its name, as in fold_position")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--compare-only", action="store_true", help="compare with the live rows, and swap nothing")
    how.add_argument("--new-settings", action="store_true", help="under the settings given here, not the recorded ones")
    parser.add_argument("--fresh", action="store_true", help="start from zero even if a killed rebuild left something")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 if swapped (or equal), 1 if a comparison finds a difference. Raises `EventfoldError`."""
    if arguments.compare_only:
        return await compare.run(deployment, arguments)
    projection = deployment.projection(arguments.projection)
    new, fresh = arguments.new_settings, arguments.fresh
    async with at_live_positions(deployment, projection, swap, keep=True, fresh=fresh, new_settings=new) as one:
        tables = one.tables
    document = {"projection": projection.name, "swapped": tables, "built_under": dict(projection.built_under)}
    served = f"{projection.name} is folded anew, and served: {', '.join(tables)}"
    say_either(arguments.json, document, served + (_then(projection) if new else ""))
    return 0


def _then(projection: Projection) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in sorted(projection.built_under.items()))
    return f"; now restart the service's servers and workers with {settings}" if settings else ""


async def swap(conn: Connection, one: Shadow) -> None:
    """Make the shadow live."""
    await shadow.swap(conn, one)
