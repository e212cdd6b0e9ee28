"""What an operator sees while an import runs: a bar for each kind with rate and time left."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Protocol

from rich import progress
from rich.console import Console
from rich.text import Text

from lyceum_cli.importing.columns import Kind
from lyceum_cli.output import NARROW

WIDE: Final = 80
"""Columns from which bars have room for the rate and the time taken, too."""


class Progress(Protocol):
    """Hears how an import goes."""

    def begin(self, rows: Mapping[Kind, int]) -> None:
        """So many rows there are, by kind."""

    def done(self, kind: Kind, rows: int) -> None:
        """So many more are done."""

    def settling(self) -> None:
        """All are sent; the projections follow."""

    def settled(self) -> None:
        """All projections have everything."""


class NoProgress:
    """Shows nothing."""

    def begin(self, rows: Mapping[Kind, int]) -> None:
        """See `Progress`."""

    def done(self, kind: Kind, rows: int) -> None:
        """See `Progress`."""

    def settling(self) -> None:
        """See `Progress`."""

    def settled(self) -> None:
        """See `Progress`."""


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


def _columns(width: int) -> list[progress.ProgressColumn]:
    """All that fits: without a bar where the terminal is narrow."""
    name, count = progress.TextColumn("{task.description:12}"), progress.MofNCompleteColumn()
    if width < NARROW:
        return [name, count, progress.TimeRemainingColumn(compact=True)]
    if width < WIDE:
        return [name, progress.BarColumn(), count, progress.TimeRemainingColumn(compact=True)]
    rest = [progress.TimeElapsedColumn(), progress.TextColumn("ETA"), progress.TimeRemainingColumn()]
    return [name, progress.BarColumn(), count, _Rate(), *rest]


class Bars:
    """`Progress` on a terminal; elsewhere only the final state is written."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = progress.Progress(*_columns(console.width), console=console)
        self._tasks: dict[Kind, progress.TaskID] = {}
        self._settling: progress.TaskID | None = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, rows: Mapping[Kind, int]) -> None:
        """See `Progress`."""
        self._tasks = {kind: self._bars.add_task(kind, total=count) for kind, count in rows.items()}

    def done(self, kind: Kind, rows: int) -> None:
        """See `Progress`."""
        self._bars.advance(self._tasks[kind], rows)

    def settling(self) -> None:
        """See `Progress`."""
        self._settling = self._bars.add_task("projections", total=None)

    def settled(self) -> None:
        """See `Progress`."""
        if self._settling is not None:
            self._bars.update(self._settling, total=1, completed=1)
