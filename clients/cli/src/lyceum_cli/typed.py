"""What is typed or piped in, checked: names and the password."""

from __future__ import annotations

import codecs
import getpass
import os
import sys
from typing import Final

import click

from lyceum_cli.errors import BadText
from lyceum_cli.importing.reading import UTF_8

NAMED_DELIMITERS: Final = {"tab": "\t", "\\t": "\t"}
NO_DELIMITERS: Final = '"\r\n\0'


def require_stdin(said: bool) -> None:
    """Refuse a command that did not say where its passwords are to come from."""
    if not said:
        raise click.UsageError("passwords are read from standard input only: say --password-stdin")


def password(what: str = "the password", *, again: bool = False) -> str:
    """From standard input: its next line, or asked for where that is a terminal, `again` for a new one. Raises
    `BadText`."""
    if sys.stdin is None:
        raise BadText(what, "is read from standard input, and there is none")
    if sys.stdin.isatty():
        found = getpass.getpass(f"{what.capitalize()}: ")
        if again and found != getpass.getpass("The same again: "):
            raise BadText(what, "was not the same the second time")
    else:
        found = _decoded(sys.stdin.buffer.readline()).rstrip("\r\n")
    if not found:
        raise BadText(what, "is empty: standard input holds no line for it, or an empty one")
    return utf8(what, found)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def utf8(what: str, text: str) -> str:
    """The text. Raises `BadText` for one that came in other bytes than UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as failure:
        raise BadText(what, "is not in UTF-8") from failure
    return text


def argument(what: str, text: str) -> str:
    """A word of the command line, which is UTF-8 whatever the locale says. Raises `BadText`."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return utf8(what, text)


def file_name(text: str) -> str:
    """A text as part of a file's name, in UTF-8 whatever the locale says."""
    safe = "".join(character if character.isalnum() or character in "-_" else "-" for character in text)
    return os.fsdecode(safe.encode())


def delimiter(context: click.Context, option: click.Parameter, text: str) -> str:
    """One character; `tab` for a tab. For click."""
    found = NAMED_DELIMITERS.get(text, text)
    if len(found) != 1 or found in NO_DELIMITERS:
        raise click.BadParameter("must be one character, not a quote or line break; a tab is called: tab")
    return found


def encoding(context: click.Context, option: click.Parameter, text: str) -> str:
    """An encoding of text that Python knows. For click."""
    try:
        name = codecs.lookup(text).name
        "".encode(name)
    except (LookupError, ValueError) as failure:
        raise click.BadParameter("is no encoding known here, as utf-8, gbk, gb18030, big5, utf-16 are") from failure
    return UTF_8 if name == "utf-8" else name
