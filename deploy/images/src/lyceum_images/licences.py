"""The licence of each third-party distribution of each image, judged by `deploy/images/licences.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from license_expression import ExpressionError, Licensing, get_spdx_licensing  # type: ignore[import-untyped]

from lyceum_images.found import Image
from lyceum_images.inventory import Part, parts
from lyceum_tree import ROOT

POLICY = Path("deploy/images/licences.toml")


@dataclass(frozen=True)
class Policy:
    """What we accept: licences by their SPDX names, forbidden ones, words that mean an SPDX expression, and single
    distributions whose licence a person has read, each with its reason."""

    accepted: frozenset[str]
    forbidden: tuple[str, ...]
    words: Mapping[str, str]
    read: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Row:
    """One distribution and the images that hold it."""

    kind: str
    name: str
    version: str
    licence: str
    images: tuple[str, ...]


def policy(root: Path = ROOT) -> Policy:
    """The policy of the tree."""
    told = tomllib.loads((root / POLICY).read_text(encoding="utf-8"))
    words = {word.lower(): meant for word, meant in told["words"].items()}
    return Policy(frozenset(told["accepted"]), tuple(told["forbidden"]), words, told["read"])


def judged(images: Sequence[Image], version: str) -> tuple[Sequence[Row], Sequence[str]]:
    """A row for each third-party distribution, and a sentence for each that we do not accept."""
    held: dict[Part, list[str]] = {}
    for image in images:
        for part in (one for one in parts(image, version) if not one.ours):
            held.setdefault(Part(part.kind, part.name, part.version, tuple(part.told)), []).append(image.name)
    found, rules = sorted(held, key=lambda one: (one.kind, one.name.lower(), one.version)), policy()
    rows = [Row(one.kind, one.name, one.version, licence(one, rules), tuple(held[one])) for one in found]
    sentences = (complaint(one, rules) for one in found)
    return rows, [sentence for sentence in sentences if sentence]


def licence(part: Part, rules: Policy) -> str:
    """The licence as an SPDX expression where that is known, for Debian in Debian's words; empty if unknown."""
    if part.kind == "deb":
        return ", ".join(part.told)
    if part.name.lower() in rules.read:
        return rules.read[part.name.lower()]["licence"]
    return next((meant for told in part.told if (meant := _expression(told, rules))), "")


def _expression(told: str, rules: Policy) -> str:
    meant = " AND ".join(rules.words.get(word.strip().lower(), word.strip()) for word in told.split(" AND "))
    if not meant:
        return ""
    try:
        return str(_spdx().parse(meant, validate=True, strict=True))
    except ExpressionError:
        return ""


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def complaint(part: Part, rules: Policy) -> str:
    """Why we do not accept the distribution; empty if we do."""
    found = licence(part, rules)
    who = f"{part.name} {part.version} ({part.kind})"
    if not found:
        return (
            f"{who}: its licence is unknown ({'; '.join(part.told) or 'it tells none'}); read it and say so in {POLICY}"
        )
    if part.kind == "deb":
        bad = [one for one in rules.forbidden if one.lower() in found.lower()]
        return f"{who}: {', '.join(bad)} is forbidden" if bad else ""
    return "" if _accepted(found, rules) else f"{who}: {found} is not among the accepted licences of {POLICY}"


def _accepted(expression: str, rules: Policy) -> bool:
    """Whether the accepted licences satisfy the expression: one side of an OR, both of an AND."""
    tree = _spdx().parse(expression)
    names = {str(symbol): str(symbol) in rules.accepted for symbol in _spdx().license_symbols(tree, decompose=False)}
    return _holds(tree, names)


def _holds(tree: object, names: Mapping[str, bool]) -> bool:
    parts_ = getattr(tree, "args", ())
    if not parts_:
        return names.get(str(tree), False)
    both = type(tree).__name__ == "AND"
    return (all if both else any)(_holds(one, names) for one in parts_)


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    head = ["| kind | name | version | licence | images |", "| --- | --- | --- | --- | --- |"]
    lines = (f"| {r.kind} | {r.name} | {r.version} | {r.licence[:100]} | {', '.join(r.images)} |" for r in rows)
    return "\n".join([*head, *lines])
