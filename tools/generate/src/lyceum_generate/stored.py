"""Goldens of stored (private) events: one JSON file for every type and version that a store may hold.

They are in `schemas/golden/stored/<service>/<type>.v<version>.json`. `add_missing_stored` writes those of new types and
versions, and never touches an existing golden, because stores hold events of that form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from eventfold import EventCodec

SAMPLED_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_PLAIN: dict[Any, Any] = {
    str: "样本 sample",
    int: 1234567,
    float: 0.5,
    bool: True,
    datetime: SAMPLED_AT,
    date: SAMPLED_AT.date(),
}


def sample(hint: Any) -> Any:
    """A sample value of an annotation, with every optional part set. Raises KeyError for an unsupported kind of
    annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return sample(next(part for part in arguments if part is not NoneType))
    if origin is Literal:
        return arguments[0]
    if origin in (tuple, list, frozenset):
        return origin([sample(arguments[0])])
    if origin is dict:
        return {sample(arguments[0]): sample(arguments[1])}
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return hint(**{field.name: sample(hints[field.name]) for field in fields(hint)})
    return _PLAIN[hint]


def names(codec: EventCodec) -> Iterator[str]:
    """The names of all required goldens: every version of every type, up to the current one."""
    for name, current in codec.types.values():
        yield from (f"{name}.v{version}" for version in range(1, current + 1))


def add_missing_stored(codec: EventCodec, folder: Path) -> list[str]:
    """Write a golden for every current version without one; returns their names."""
    added = []
    for event, (name, version) in codec.types.items():
        path = folder / f"{name}.v{version}.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _, _, data = codec.encode(sample(event))
            path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            added.append(path.stem)
    return added


def complaints(codec: EventCodec, folder: Path) -> list[str]:
    """The faults of a service's goldens, one sentence each; empty if today's code reads all of them."""
    kept, wanted = {path.stem for path in folder.glob("*.json")}, set(names(codec))
    missing = [f"{name} has no golden: run make generate, and keep what it writes" for name in sorted(wanted - kept)]
    surplus = [f"{name} is no type or version of this build, yet stores hold it" for name in sorted(kept - wanted)]
    changed = [text for event in codec.types if (text := _change(codec, event, folder))]
    unread = [text for name in sorted(kept & wanted) if (text := _failure(codec, folder, name))]
    return missing + surplus + changed + unread


def _change(codec: EventCodec, event: type[Any], folder: Path) -> str:
    """The complaint if the current version of a type has changed since its golden was written."""
    name, version = codec.types[event]
    path = folder / f"{name}.v{version}.json"
    if not path.exists():
        return ""
    data = read(path)
    try:
        same = codec.decode(name, version, data) == sample(event) and codec.encode(sample(event))[2] == data
    except Exception:  # noqa: BLE001 - told by `_failure`
        return ""
    return "" if same else f"{name} changed under version {version}: give it the next version and an upcaster"


def _failure(codec: EventCodec, folder: Path, stem: str) -> str:
    """The reason why today's code cannot read a golden, or writes it back differently."""
    name, _, version = stem.rpartition(".v")
    try:
        event = codec.decode(name, int(version), read(folder / f"{stem}.json"))
        again = codec.decode(*codec.encode(event))
    except Exception as failure:  # noqa: BLE001 - whatever a codec or an upcaster raises is the complaint
        return f"{stem} cannot be read: {type(failure).__name__}: {failure}"
    return "" if again == event else f"{stem} is another event once written by this build"


def read(path: Path) -> dict[str, Any]:
    """A golden's data, as the store would return it."""
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
