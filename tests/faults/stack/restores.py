"""Ways to bring a database back to an earlier moment, as operators do it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from lyceum_local import postgres, tenancy
from lyceum_local.services import processes_of
from tests.faults.keeper import until
from tests.faults.stack.journal import SERVICE_OF, Journal
from tests.faults.stack.laggard import following
from tests.faults.stack.product import PREFIX, Product
from tests.faults.stack.verdict import agreed

ACTING = frozenset(SERVICE_OF.values())
"""The services that the load makes emit: their stores are behind their topics after a restore."""
MORE_ACTS, MORE_S, REST_S = (10, 60), 60.0, 90.0
TOOL_S = 120.0

Way = Callable[[Product, tuple[str, ...], Callable[[], None]], None]
"""Saves the services' data, runs the given callback, and restores the saved data."""

__all__ = ["NotAtRest", "Way", "copied", "copy_of_the_files", "dump_and_restore", "promoted_laggard", "rewind"]


class NotAtRest(Exception):
    """The load did not come to rest, so the content of a backup is not known."""


def rewind(product: Product, services: tuple[str, ...], how: Way, rng: random.Random) -> int:
    """Save, go on, restore; the journal marks the acts in between as undone. Returns their number."""
    _rest(product)
    journal = product.load.journal
    since, more = len(journal.acts), rng.randint(*MORE_ACTS)

    def goes_on() -> None:
        product.load.go()
        until(lambda: len(journal.acts) >= since + more and _has_emitted(journal, services, since), MORE_S)
        _rest(product)

    how(product, services, goes_on)
    undone = journal.take_back(set(services), since)
    product.load.forget(since)
    return undone


def _has_emitted(journal: Journal, services: tuple[str, ...], since: int) -> bool:
    """Whether each service of `services` that the load makes emit has done an act since then."""
    done = {SERVICE_OF[act.op] for act in journal.acts[since:] if act.done}
    return done >= ACTING & set(services)


def _rest(product: Product) -> None:
    if not product.load.rest(REST_S) or (said := agreed(product)):
        raise NotAtRest(product.load.last_refusal or "; ".join(said))


def dump_and_restore(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """`pg_dump -n SCHEMA`; later the schema is dropped and restored while its service's processes are stopped."""
    url = tenancy.in_database(product.stack.admin_url, PREFIX)
    file = product.folder / "service.dump"
    schemas = [f"--schema={service}" for service in services]
    _tool("pg_dump", "--format=custom", *schemas, f"--file={file}", url)
    goes_on()
    processes = [process for service in services for process in processes_of(service)]
    for process in processes:
        product.stack.stop(process)
    with psycopg.connect(url, autocommit=True) as admin:
        for service in services:
            admin.execute(f"DROP SCHEMA {service} CASCADE".encode())
    _tool("pg_restore", "--exit-on-error", f"--dbname={url}", str(file))
    for process in processes:
        product.stack.start(process)


def copy_of_the_files(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """PostgreSQL's whole folder is copied and put back while PostgreSQL is stopped, like a snapshot of its disk."""
    folder, copy = product.data("postgres"), product.folder / "postgres-copy"
    product.stack.stop("postgres")
    copied(folder, copy)
    product.up()
    goes_on()
    product.stack.down()
    copied(copy, folder)
    shutil.rmtree(copy)


def promoted_laggard(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """A replica is cut off, and later replaces the primary, which is killed; the services run all the time."""
    with following(product.folder / "replica", product.stack.admin_url) as replica:
        replica.caught_up()
        replica.cut_off()
        goes_on()
        product.stop_dead("postgres")
        replica.promoted()
        copied(replica.folder, product.data("postgres"))


def copied(source: Path, target: Path) -> None:
    """Replace `target` by a copy of `source`, with owners and modes."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True, timeout=TOOL_S)


def _tool(name: str, *arguments: str) -> None:
    command = [str(postgres.binaries() / name), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=TOOL_S, env={**os.environ, "PGTZ": "UTC"})
