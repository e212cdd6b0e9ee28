"""Prints the stages with their wall time, and both sides of every figure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from lyceum_demo.comparing import Compared

SUBJECTS: Final = {
    "overview": "How much there is / 概况",
    "ledger": "Ledger, trial balance over everything, in cents / 收入账",
    "recommendations": "Top recommendations / 推荐",
    "retention": "Retention L(t) = p^t / 留存",
    "activity": "Activity A(t), 365 days / 活跃",
    "revenue": "Revenue R = N*C*P / 收入",
}


class Stages:
    """Times the stages of a run; `seconds` holds the wall time of each, in order."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage; its line is printed when it succeeds."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        self._console.print(f"[dim]stage {name}: {self.seconds[name]:.1f} s[/dim]", highlight=False)

    @property
    def total_s(self) -> float:
        """Seconds of all stages together."""
        return sum(self.seconds.values())


def bar(console: Console) -> Progress:
    """A progress bar with count and time left."""
    return Progress(
        TextColumn("{task.description:14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=console,
    )


def tables(compared: Sequence[Compared]) -> list[Table]:
    """One table for each subject, with a line for each thing that has figures."""
    return [_table(title, _grouped(compared, subject)) for subject, title in SUBJECTS.items()]


def recommended(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """What the learned model recommends to whom, and why."""
    table = Table(title="The learned model's recommendations, and why / 学习模型的推荐与理由", title_justify="left")
    for column in ("member", "content", "because", "理由"):
        table.add_column(column)
    for member, item in found:
        table.add_row(member, item["title"], item["words"]["en"], item["words"]["zh"])
    return table


def _grouped(compared: Sequence[Compared], subject: str) -> dict[str, list[Compared]]:
    """Figures grouped by the thing they describe: an account's debits and credits share a line, as do an item's title
    and score."""
    lines: dict[str, list[Compared]] = {}
    for one in compared:
        found, *names = one.name.split(" / ")
        if found == subject:
            lines.setdefault(" / ".join(names[:-1] or names), []).append(one)
    return lines


def _table(title: str, lines: Mapping[str, Sequence[Compared]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("", "Lyceum", "oracle"):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("")
    for name, figures in lines.items():
        verdict = "[green]equal[/green]" if all(one.equal for one in figures) else "[bold red]DIFFERS[/bold red]"
        table.add_row(
            name,
            _line([(one.name, one.lyceum) for one in figures]),
            _line([(one.name, one.oracle) for one in figures]),
            verdict,
        )
    return table


def _line(figures: Sequence[tuple[str, Any]]) -> str:
    """A single value alone, or several values with their names. Ids and zeros are compared but not shown."""
    if len(figures) == 1:
        return _text(figures[0][1])
    named = [(name.rpartition(" / ")[2], value) for name, value in figures]
    return ", ".join(_named(name, value) for name, value in named if value != 0 and not name.endswith("_id"))


def _named(name: str, value: Any) -> str:
    """A value with its name. A text needs no name; a float is shown with fewer digits than are compared."""
    if isinstance(value, str):
        return value
    shown = f"{value:.6g}" if isinstance(value, float) else _text(value)
    return f"{name.removesuffix('_minor')} {shown}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
