"""The `lyceum` command. Exit status: 0 all is well, 2 some rows were rejected, 1 anything else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from lyceum_cli import reporting
from lyceum_cli.errors import CliError
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.columns import KINDS
from lyceum_cli.importing.plan import DEFAULT_SLICE_DAYS, MAX_BATCH_ITEMS
from lyceum_cli.importing.progress import Bars
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.running import Imported, Order, run

FAILED, SOME_REJECTED, INTERRUPTED = 1, 2, 130
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def lyceum() -> None:
    """Work with a Lyceum community through its gateway."""


@lyceum.group("import")
def import_group() -> None:
    """Move a community over."""


@import_group.command("csv")
@click.option("--gateway", required=True, metavar="URL", help="Where the gateway answers.")
@click.option("--username", required=True, help="An account with the role `importer`.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@click.option(
    "--dataset", required=True, help="Name of the data set: ids follow from it and the rows' external ids, for ever."
)
@click.option("--members", type=FILE, multiple=True)
@click.option("--contents", type=FILE, multiple=True)
@click.option("--interactions", type=FILE, multiple=True)
@click.option("--orders", type=FILE, multiple=True)
@click.option("--mapping", type=FILE, help="TOML: how the files' columns become the documented ones.")
@click.option("--rejects", type=click.Path(file_okay=False, path_type=Path), help="Folder for rows that are set aside.")
@click.option(
    "--state", type=click.Path(dir_okay=False, path_type=Path), help="Where an interrupted import goes on from."
)
@click.option("--batch", default=MAX_BATCH_ITEMS, type=click.IntRange(1, MAX_BATCH_ITEMS), help="Rows sent at once.")
@click.option(
    "--slice-days",
    default=DEFAULT_SLICE_DAYS,
    type=click.IntRange(1, 36_500),
    help="Files advance together by so many days.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def import_csv(
    gateway: str,
    username: str,
    password_stdin: bool,
    dataset: str,
    members: Sequence[Path],
    contents: Sequence[Path],
    interactions: Sequence[Path],
    orders: Sequence[Path],
    mapping: Path | None,
    rejects: Path | None,
    state: Path | None,
    batch: int,
    slice_days: int,
    as_json: bool,
) -> int:
    """Import CSV files: resumable, and each row counts once however often it is sent."""
    files = dict(zip(KINDS, (members, contents, interactions, orders), strict=True))
    sources = [Source(kind, path) for kind in KINDS for path in files[kind]]
    if not password_stdin:
        raise click.UsageError("the password is read from standard input only: say --password-stdin")
    if not sources:
        raise click.UsageError("name at least one file: --members, --contents, --interactions or --orders")
    name = "".join(character if character.isalnum() or character in "-_" else "-" for character in dataset)
    order = Order(
        gateway=gateway,
        dataset=dataset,
        sources=sources,
        rejects=rejects or Path(f"{name}.rejects"),
        state=state or Path(f"{name}.import-state.json"),
        mapping=mapping,
        batch_items=batch,
        slice_days=slice_days,
    )
    imported = asyncio.run(_imported(order, username, sys.stdin.readline().rstrip("\r\n")))
    if as_json:
        click.echo(reporting.as_json(imported))
    else:
        Console().print(reporting.as_table(imported))
        click.echo("\n".join(reporting.remarks(imported)))
    return SOME_REJECTED if imported.rejected else 0


async def _imported(order: Order, username: str, password: str) -> Imported:
    async with Gateway(order.gateway) as gateway:
        await gateway.log_in(username, password)
        with Bars(Console(stderr=True)) as bars:
            return await run(gateway, order, bars)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        return int(lyceum.main(arguments, prog_name="lyceum", standalone_mode=False) or 0)
    except click.ClickException as misuse:
        misuse.show()
    except CliError as failure:
        click.echo(f"lyceum: {failure}", err=True)
    except (KeyboardInterrupt, click.Abort):
        click.echo("lyceum: interrupted; the same command goes on from here", err=True)
        return INTERRUPTED
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
