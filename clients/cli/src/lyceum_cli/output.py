"""Writing to the terminal, a pipe or a file: none of them may turn a good import into a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import IO, Any, Final, cast

from rich.console import Console

from lyceum_cli.errors import CannotWrite

NARROW: Final = 60
"""Columns below which tables become lines and bars give way to numbers."""


def console() -> Console:
    """Draws for standard output: as wide as the terminal; in pipes and files lines are as long as they are."""
    shown = _stream(sys.stdout)
    shown.reconfigure(errors="backslashreplace")  # names in Chinese, and a terminal that cannot show them
    return Console(file=cast(IO[str], shown), highlight=False, markup=False)


def say(text: str) -> None:
    """Write text to standard output. A reader that has left (`| head -1`) has what it wanted: the rest goes nowhere.

    Raises `CannotWrite`.
    """
    shown = _stream(sys.stdout)
    try:
        shown.write(text)
        shown.flush()
    except BrokenPipeError:
        to_nowhere()
    except OSError as failure:
        to_nowhere()
        raise CannotWrite("the output", failure) from failure


def to_nowhere() -> None:
    """Have the interpreter drop what it still holds for standard output when it ends, instead of complaining."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Forgiving:
    """A stream for progress, which nobody needs: what cannot be written is dropped."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = _stream(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or not."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def progress_console() -> Console:
    """Draws on standard error."""
    return Console(file=cast(IO[str], Forgiving(sys.stderr)))


def _stream(stream: IO[str] | None) -> io.TextIOWrapper:
    """The stream, or one that leads nowhere for a process that was started without it."""
    return cast(io.TextIOWrapper, stream) if stream is not None else io.TextIOWrapper(io.BytesIO(), "utf-8")
