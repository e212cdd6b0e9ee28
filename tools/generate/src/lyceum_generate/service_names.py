"""The name of a new service: checks it, and derives other names from it."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lyceum_generate.services import definitions, stream_types

FORM = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
MAX_CHARS = 24
PARTS = ("gateway", "gateway_admin", "kafka", "kafka_controller", "postgres", "public", "simulator", "supervisor")
"""Names that are taken by the local stack's other processes and ports, and by PostgreSQL's own schema."""


class BadServiceName(ValueError):
    """A service cannot have this name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} {reason}; name a service in snake_case, as coupons or gift_cards")
        self.name = name


class NameInUse(ValueError):
    """Something else has this name, or a name derived from it."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name!r} cannot be a service: {what}; choose another name")
        self.name = name


@dataclass(frozen=True)
class Words:
    """The service's name, and the name of one thing that it keeps: the last word, in the singular."""

    name: str

    @property
    def thing(self) -> str:
        """`card` for `gift_cards`: one word, because the subject of an event is one word."""
        last = self.name.rsplit("_", 1)[-1]
        return last.removesuffix("s") if not last.endswith("ss") else last

    @property
    def said(self) -> dict[str, str]:
        """Each word in the spelling of modules, classes and constants."""
        words = self.name.replace("_", " ")
        return {
            "words": words,
            "Words": words.capitalize(),
            "name": self.name,
            "Name": "".join(map(str.capitalize, self.name.split("_"))),
            "thing": self.thing,
            "Thing": self.thing.capitalize(),
            "THING": self.thing.upper(),
        }


def checked_words(name: str, root: Path) -> Words:
    """The words. Raises `BadServiceName`, `NameInUse`."""
    if not FORM.fullmatch(name) or len(name) > MAX_CHARS:
        raise BadServiceName(name, f"is not 1 to {MAX_CHARS} small letters, digits and underscores between words")
    words = Words(name)
    if reserved := [word for word in (name, words.thing) if not word or keyword.iskeyword(word)]:
        raise BadServiceName(name, f"gives modules the name {reserved[0]!r}, which Python keeps for itself")
    if name in sys.stdlib_module_names:
        raise BadServiceName(name, "is a module of Python's own")
    for what in _uses(words, root):
        raise NameInUse(name, what)
    return words


def _uses(words: Words, root: Path) -> Iterator[str]:
    name, thing = words.name, words.thing
    for folder in ("services", "schemas/proto/lyceum", "schemas/avro"):
        if (root / folder / name).exists():
            yield f"{folder}/{name} is there"
    if name in PARTS or name.startswith("pg_"):
        yield "a part of the stack is called so"
    if (root / "requirements" / f"{name}.in").exists():
        yield f"requirements/{name}.in is there"
    if find_spec(name):
        yield "a package of this environment is called so"
    yield from (f"streams of {one} are called {thing!r}" for one in definitions() if thing in _streams(one))
    if any(
        f'"/v1/{name}' in file.read_text(encoding="utf-8") for file in root.glob("schemas/proto/lyceum/*/*/*.proto")
    ):
        yield f"the path /v1/{name} is served"


def _streams(service: str) -> set[str]:
    return {kind.name for kind in stream_types(service).values()}
