"""Generated parts of hand-written files.

A generated list ends with `# generated: <name>` after its closing bracket. A generated block of lines is between a
line that ends with `generated: <name>` and a line that says `end`; both are comments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

ONE_LINE_CHARS = 70
_LIST = re.compile(r"^(?P<to>\w+ = )\[[^\[\]]*\](?P<mark> # generated: (?P<name>\w+))$", re.MULTILINE)


class NoSuchPart(Exception):
    """A file marks a part that is not generated, or no longer marks a part that is."""

    def __init__(self, name: str) -> None:
        super().__init__(f"generated: {name} is marked nowhere, or stands for nothing: compare lyceum_generate.named")
        self.name = name


def with_lists(text: str, lists: Mapping[str, Sequence[str]]) -> str:
    """The text with every marked list up to date. Raises `NoSuchPart`."""

    def filled(found: re.Match[str]) -> str:
        if found["name"] not in lists:
            raise NoSuchPart(found["name"])
        return found["to"] + _spelt(lists[found["name"]]) + found["mark"]

    made, count = _LIST.subn(filled, text)
    if not count:
        raise NoSuchPart(", ".join(lists))
    return made


def _spelt(items: Sequence[str]) -> str:
    """The list on one line if it fits, else one item per line."""
    short = json.dumps(list(items))
    if len(short) <= ONE_LINE_CHARS:
        return short
    return "[\n" + "".join(f"  {json.dumps(item)},\n" for item in items) + "]"


def with_block(text: str, name: str, lines: Sequence[str]) -> str:
    """The text with the lines of a marked block up to date. Raises `NoSuchPart`."""
    inside = "".join(f"{line}\n" for line in lines)
    block = re.compile(rf"^(.*\bgenerated: {name}\b.*\n)(?:.*\n)*?((?:# end|<!-- end -->)\n)", re.MULTILINE)
    made, count = block.subn(lambda found: found[1] + inside + found[2], text)
    if count != 1:
        raise NoSuchPart(name)
    return made
