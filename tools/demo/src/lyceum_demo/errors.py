"""Errors that stop a demonstration: each is one sentence with the fix."""

from __future__ import annotations

from pathlib import Path


class DemoError(Exception):
    """Base class; the text is meant for the user at the terminal."""


class InputNotFetched(DemoError):
    """The packages with the input could not be downloaded."""

    def __init__(self, complaint: str) -> None:
        super().__init__(f"the input could not be fetched from the package index: {complaint}")


class InputDamaged(DemoError):
    """A cached package is missing, or its bytes are not the expected ones."""

    def __init__(self, package: str, folder: Path) -> None:
        super().__init__(
            f"no file in {folder} is {package} with its pinned SHA-256; empty that folder and run this again"
        )


class OtherSlice(DemoError):
    """The stack's data comes from the other slice, in which the same numbers are different people."""

    def __init__(self, found: str, wanted: str, data_dir: Path) -> None:
        super().__init__(
            f"the stack in {data_dir} holds the {found} input, and customer numbers mean other people in the {wanted} "
            f"input; give that a stack of its own: LYCEUM_DATA_DIR=<another folder> make demo"
        )


class CommandFailed(DemoError):
    """A process that the demonstration started has failed."""

    def __init__(self, what: str, status: int, complaint: str) -> None:
        super().__init__(f"{what} ended with status {status}: {complaint}")


class CodeMissing(DemoError):
    """No one-time code has arrived for an account."""

    def __init__(self, username: str, spool: Path) -> None:
        super().__init__(
            f"no one-time code for {username} is in {spool}; is identity running with LYCEUM_PROFILE=local?"
        )


class NotPaid(DemoError):
    """Orders were placed and paid for, but the callbacks have not arrived in time."""

    def __init__(self, count: int, waited_s: float) -> None:
        super().__init__(
            f"{count} orders are not paid after {waited_s:.0f} s; see make logs SERVICE=simulator and billing"
        )


class RowsRejected(DemoError):
    """The importer set rows aside, although all input rows are valid."""

    def __init__(self, count: int, folder: Path) -> None:
        super().__init__(f"{count} rows were rejected; {folder} holds them with the reasons")
