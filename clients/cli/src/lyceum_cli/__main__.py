"""The `lyceum` command. Exit status: 0 all is well, 2 some rows were rejected, 3 another import uses the same state
file, 130 and 143 it was stopped, 1 anything else."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lyceum_cli import output, reporting, stopping, typed
from lyceum_cli.accounts import account_group
from lyceum_cli.errors import CliError, Held
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.columns import KINDS
from lyceum_cli.importing.plan import DEFAULT_SLICE_DAYS, MAX_BATCH_ITEMS
from lyceum_cli.importing.progress import Bars
from lyceum_cli.importing.reading import Amounts, Format, Source
from lyceum_cli.importing.running import Imported, Order, check, run

FAILED, SOME_REJECTED, HELD = 1, 2, 3
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.version_option(package_name="lyceum-cli", prog_name="lyceum")
def lyceum() -> None:
    """Work with a Lyceum community through its gateway."""


lyceum.add_command(account_group)


@lyceum.group("import")
def import_group() -> None:
    """Move a community over."""


@import_group.command("csv")
@click.option("--gateway", default="", metavar="URL", help="Where the gateway answers.")
@click.option("--username", default="", help="An account with the role `importer`.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@click.option(
    "--dataset", required=True, help="Name of the data set: ids follow from it and the rows' external ids, for ever."
)
@click.option("--members", type=FILE, multiple=True)
@click.option("--contents", type=FILE, multiple=True)
@click.option("--interactions", type=FILE, multiple=True)
@click.option("--orders", type=FILE, multiple=True)
@click.option("--mapping", type=FILE, help="TOML: how the files' columns become the documented ones.")
@click.option(
    "--delimiter", default=",", callback=typed.delimiter, help="What stands between fields: , unless said; or tab."
)
@click.option(
    "--encoding", default="utf-8", callback=typed.encoding, help="Of the files: utf-8 unless said; or gbk, utf-16, …"
)
@click.option(
    "--amounts",
    type=click.Choice(["minor", "major"]),
    default="minor",
    help="Whether amounts of orders are 1290 (minor, unless said) or 12.90.",
)
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
@click.option("--dry-run", is_flag=True, help="Read and check the files, send nothing; needs no gateway.")
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
    delimiter: str,
    encoding: str,
    amounts: Amounts,
    rejects: Path | None,
    state: Path | None,
    batch: int,
    slice_days: int,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Import CSV files: resumable, and each row counts once however often it is sent."""
    files = dict(zip(KINDS, (members, contents, interactions, orders), strict=True))
    sources = [Source(kind, path) for kind in KINDS for path in files[kind]]
    if not sources:
        raise click.UsageError("name at least one file: --members, --contents, --interactions or --orders")
    if not dry_run:
        _require_account(gateway, username, password_stdin)
    dataset = typed.argument("--dataset", dataset)
    name = typed.file_name(dataset)
    order = Order(
        gateway=gateway,
        dataset=dataset,
        sources=sources,
        rejects=rejects or Path(f"{name}.rejects"),
        state=state or Path(f"{name}.import-state.json"),
        mapping=mapping,
        batch_items=batch,
        slice_days=slice_days,
        form=Format(delimiter, encoding, amounts),
    )
    imported = check(order) if dry_run else asyncio.run(_imported(order, typed.argument("--username", username)))
    _report(imported, as_json=as_json)
    return SOME_REJECTED if imported.rejected else 0


def _require_account(gateway: str, username: str, password_stdin: bool) -> None:
    for option, value in (("--gateway", gateway), ("--username", username)):
        if not value:
            raise click.UsageError(f"{option} is needed, but for --dry-run")
    typed.require_stdin(password_stdin)


def _report(imported: Imported, *, as_json: bool) -> None:
    if as_json:
        output.say(reporting.as_json(imported) + "\n")
        return
    shown = output.console()
    with shown.capture() as drawn:
        if shown.width < output.NARROW:
            shown.print("\n".join(reporting.as_lines(imported)))
        else:
            shown.print(reporting.as_table(imported))
        shown.print("\n".join(reporting.remarks(imported)), soft_wrap=not shown.is_terminal)
    output.say(drawn.get())


async def _imported(order: Order, username: str) -> Imported:
    async with Gateway(order.gateway) as gateway:
        password = typed.password()
        await gateway.reach()
        await gateway.log_in(username, password)
        with Bars(output.progress_console()) as bars:
            return await run(gateway, order, bars)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        with stopping.terminable():
            return int(lyceum.main(arguments, prog_name="lyceum", standalone_mode=False) or 0)
    except click.ClickException as misuse:
        misuse.show()
    except Held as failure:
        _complain(str(failure))
        return HELD
    except CliError as failure:
        _complain(str(failure))
    except OSError as failure:
        output.to_nowhere()
        _complain(f"{failure.filename or 'the output'}: {failure.strerror or failure}")
    except (KeyboardInterrupt, click.Abort) as stop:
        _complain(f"interrupted; {_left_behind(arguments)}")
        return stopping.status_of(stop)
    return FAILED


def _left_behind(arguments: Sequence[str] | None) -> str:
    """How things stand after an interruption."""
    importing = [*(sys.argv[1:] if arguments is None else arguments)][:1] == [import_group.name]
    return "the same command goes on from here" if importing else "it may have been done or not"


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(f"lyceum: {text}", err=True)


if __name__ == "__main__":
    sys.exit(main())
