"""Ways to bring a database back to an earlier moment, each as people do it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from contracts.emitters import EMITTERS
from lyceum_local import postgres, tenancy
from tests.faults.keeper import until
from tests.faults.stack.journal import SERVICE_OF, Journal
from tests.faults.stack.laggard import following
from tests.faults.stack.product import PREFIX, Product
from tests.faults.stack.verdict import agreed

MORE_ACTS, MORE_S, REST_S = (10, 60), 60.0, 90.0
TOOL_S = 120.0

Way = Callable[[Product, tuple[str, ...], Callable[[], None]], None]
"""Saves what the services have, calls what happens then, and brings back what was saved."""

__all__ = ["NotAtRest", "Way", "copy_of_the_files", "dump_and_restore", "promoted_laggard", "rewind"]


class NotAtRest(Exception):
    """The load did not come to rest, so nobody can say what a backup holds."""


def rewind(product: Product, services: tuple[str, ...], how: Way, rng: random.Random) -> int:
    """Save, go on, bring back; the journal takes back what came between. Returns how many acts that were."""
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
    """Whether each of the services has done something since; one that emits nothing has read what others did."""
    done = {SERVICE_OF[act.op] for act in journal.acts[since:] if act.done}
    return done >= {one for one in services if one in EMITTERS}


def _rest(product: Product) -> None:
    if not product.load.rest(REST_S) or (said := agreed(product)):
        raise NotAtRest(product.load.last_refusal or "; ".join(said))


def dump_and_restore(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """`pg_dump -n SCHEMA`; later the schema is dropped and restored, its service's processes stopped meanwhile."""
    url = tenancy.in_database(product.stack.admin_url, PREFIX)
    file = product.folder / "service.dump"
    schemas = [f"--schema={service}" for service in services]
    _tool("pg_dump", "--format=custom", *schemas, f"--file={file}", url)
    goes_on()
    processes = [f"{service}-{role}" for service in services for role in ("serve", "work")]
    for process in processes:
        product.stack.stop(process)
    with psycopg.connect(url, autocommit=True) as admin:
        for service in services:
            admin.execute(f"DROP SCHEMA {service} CASCADE".encode())
    _tool("pg_restore", "--exit-on-error", f"--dbname={url}", str(file))
    for process in processes:
        product.stack.start(process)


def copy_of_the_files(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """The whole of PostgreSQL's folder, copied and put back while it is stopped, as a snapshot of its disk is."""
    folder, copy = product.data("postgres"), product.folder / "postgres-copy"
    product.stack.stop("postgres")
    _copy(folder, copy)
    product.up()
    goes_on()
    product.stack.down()
    _copy(copy, folder)
    shutil.rmtree(copy)


def promoted_laggard(product: Product, services: tuple[str, ...], goes_on: Callable[[], None]) -> None:
    """A replica that is cut off, and later takes the place of a primary that died; the services run all the while."""
    with following(product.folder / "replica", product.stack.admin_url) as replica:
        replica.caught_up()
        replica.cut_off()
        goes_on()
        product.stop_dead("postgres")
        replica.promoted()
        _copy(replica.folder, product.data("postgres"))


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True, timeout=TOOL_S)


def _tool(name: str, *arguments: str) -> None:
    command = [str(postgres.binaries() / name), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=TOOL_S, env={**os.environ, "PGTZ": "UTC"})
