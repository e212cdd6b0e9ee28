"""The export: a folder with `items.parquet`, `members.parquet` and `pairs.parquet`.

Each file says in its metadata, under `lyceum.origin`, the format's version, the snapshot in which all was read and the
positions of the folds. Members and items are numbers; only items.parquet says which content a number is, and nothing
says which member. Other engines read the files as they are.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from reco.model.rows import Item
from reco.training.facts import MAX_ITEMS, MAX_MEMBERS, MAX_PAIRS, Facts, Origin, Position
from reco.training.refusals import TrainingRefused, needed
from reco.training.tables import MemberFact, PairFact

FORMAT: Final = 1
ORIGIN: Final = b"lyceum.origin"
ROW_GROUP_ROWS: Final = 500_000
COLUMNS: Final = {
    "items": ("item", "content_id", "creator_id", "kind", "category", "tags", "published_us"),
    "members": ("member", "interests"),
    "pairs": ("member", "item", "strength", "first_us", "last_us"),
}
_MOST: Final = {"items": MAX_ITEMS, "members": MAX_MEMBERS, "pairs": MAX_PAIRS}


def _schema(arrow: Any, name: str) -> Any:
    kinds = {
        "item": arrow.int32(),
        "member": arrow.int32(),
        "strength": arrow.float32(),
        "first_us": arrow.int64(),
        "last_us": arrow.int64(),
        "published_us": arrow.int64(),
        "tags": arrow.list_(arrow.string()),
        "interests": arrow.list_(arrow.string()),
    }
    return arrow.schema([(column, kinds.get(column, arrow.string())) for column in COLUMNS[name]])


class ExportWriter:
    """Writes an export; the folder is there, whole, once the `with` block has ended well, and else not at all. Raises
    `TrainingRefused` for a folder that holds something already, or cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._arrow, self._parquet = needed("pyarrow", "pyarrow"), needed("pyarrow.parquet", "pyarrow")
        self._folder, self._partial = folder, folder.with_name(f".{folder.name}.partial")
        self._files, self._writers = ExitStack(), dict[str, Any]()
        self._items = 0
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise TrainingRefused(f"{folder} exists and is not an empty folder")

    def __enter__(self) -> ExportWriter:
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise TrainingRefused(f"{self._folder} cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._files.close()
        if kind is None:
            self._partial.replace(self._folder)
        else:
            shutil.rmtree(self._partial, ignore_errors=True)

    def begin(self, origin: Origin) -> None:
        """See `tables.Taker`."""
        told = {"format": FORMAT, "snapshot": origin.snapshot, "positions": origin.positions}
        for name in COLUMNS:
            schema = _schema(self._arrow, name).with_metadata({ORIGIN: json.dumps(told).encode()})
            writer = self._parquet.ParquetWriter(self._partial / f"{name}.parquet", schema, compression="zstd")
            self._writers[name] = _Buffered(self._arrow, self._files.enter_context(writer), schema)
        for one in self._writers.values():
            self._files.callback(one.flush)

    def take_items(self, items: Sequence[Item]) -> None:
        """See `tables.Taker`."""
        rows = [
            (self._items + at, one.content_id, one.creator_id, one.kind, one.category, list(one.tags), one.published_us)
            for at, one in enumerate(items)
        ]
        self._items += len(rows)
        self._writers["items"].take(rows)

    def take_pairs(self, pairs: Sequence[PairFact], members: Sequence[MemberFact]) -> None:
        """See `tables.Taker`."""
        self._writers["pairs"].take(pairs)
        self._writers["members"].take(members)


class _Buffered:
    """Rows become columns at once; a row group is written when enough are there."""

    def __init__(self, arrow: Any, writer: Any, schema: Any) -> None:
        self._arrow, self._writer, self._schema = arrow, writer, schema
        self._batches: list[Any] = []
        self._rows = 0

    def take(self, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        columns = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._batches.append(self._arrow.record_batch(columns, schema=self._schema))
        self._rows += len(rows)
        if self._rows >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._batches:
            self._writer.write_table(self._arrow.Table.from_batches(self._batches))
        self._batches, self._rows = [], 0


class Export:
    """An export on disk. Raises `TrainingRefused` for a folder that is none, or too large, or of several exports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parquet = needed("pyarrow.parquet", "pyarrow")
        found = {name: self._opened(name) for name in COLUMNS}
        if len({origin for origin, _ in found.values()}) != 1:
            raise TrainingRefused(f"the files in {folder} are of several exports")
        self.origin = found["items"][0]
        self.item_count, self.pair_count = found["items"][1], found["pairs"][1]
        if not self.item_count or not self.pair_count:
            raise TrainingRefused(f"{folder} holds no pairs to train on")

    @property
    def pairs_file(self) -> Path:
        """Where the pairs are."""
        return self.folder / "pairs.parquet"

    def items(self) -> list[Item]:
        """All items by number."""
        rows = self._table("items").to_pylist()
        if [row["item"] for row in rows] != list(range(len(rows))):
            raise TrainingRefused(f"{self.folder / 'items.parquet'} does not number its items from 0")
        return [
            Item(
                content_id=row["content_id"],
                creator_id=row["creator_id"],
                kind=row["kind"],
                tags=tuple(row["tags"]),
                category=row["category"],
                published_us=row["published_us"],
            )
            for row in rows
        ]

    def facts(self) -> Facts:
        """Everything, in memory: about 30 bytes a pair."""
        items, pairs = self.items(), self._table("pairs")
        members, numbers = pairs["member"].to_numpy(), pairs["item"].to_numpy()
        strengths = pairs["strength"].to_numpy()
        self._check(members, numbers, strengths)
        return Facts(
            origin=self.origin,
            items=items,
            member_count=int(members.max()) + 1,
            pair_members=members.astype(np.int64),
            pair_items=numbers.astype(np.int64),
            strengths=strengths,
            first_us=pairs["first_us"].to_numpy(),
            interests=dict(self._interests(int(members.max()))),
        )

    def _check(self, members: Any, items: Any, strengths: Any) -> None:
        inside = members.min() >= 0 and members.max() < MAX_MEMBERS and items.min() >= 0
        if not inside or items.max() >= self.item_count or not np.isfinite(strengths).all():
            raise TrainingRefused(f"{self.pairs_file} holds a number that is no member, item or strength")
        if (np.diff(members) < 0).any():
            raise TrainingRefused(f"{self.pairs_file} is not in order of member")

    def _interests(self, last: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        for row in self._table("members").to_pylist():
            if not 0 <= row["member"] <= last:
                raise TrainingRefused(f"{self.folder / 'members.parquet'} names a member without pairs")
            yield row["member"], tuple(row["interests"])

    def _table(self, name: str) -> Any:
        path = self.folder / f"{name}.parquet"
        try:
            return self._parquet.read_table(path)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error

    def _opened(self, name: str) -> tuple[Origin, int]:
        path = self.folder / f"{name}.parquet"
        try:
            head = self._parquet.ParquetFile(path)
            rows, schema = head.metadata.num_rows, head.schema_arrow
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if tuple(schema.names) != COLUMNS[name] or not schema.equals(_schema(needed("pyarrow", "pyarrow"), name)):
            raise TrainingRefused(f"{path} has other columns than an export of this build")
        if rows > _MOST[name]:
            raise TrainingRefused(f"{path} has {rows:,} rows, and {_MOST[name]:,} are the most")
        return _origin(path, (schema.metadata or {}).get(ORIGIN, b"")), rows


def _origin(path: Path, told: bytes) -> Origin:
    try:
        found = json.loads(told)
        origin = Origin(str(found["snapshot"]), tuple(Position(*one) for one in found["positions"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingRefused(f"{path} does not say which folds it rests on: it is not of reco export") from error
    if found.get("format") != FORMAT:
        raise TrainingRefused(f"{path} is an export of another build")
    return origin


def _unreadable(path: Path, error: Exception) -> TrainingRefused:
    """The first line of what was wrong is enough."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
    return TrainingRefused(f"{path} cannot be read: {reason}")
