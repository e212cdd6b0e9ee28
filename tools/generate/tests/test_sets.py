"""Every declared projection of every service, applied as sets and event by event: the rows and positions are equal,
whatever the writer schemas, the cuts, and what was sent or delivered again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastavro.schema import expand_schema
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from contracts.avro import AvroCodec, schema_folder, shipped_schemas
from contracts.events.catalog import INTERACTION_RATED
from eventfold import FoldGroup, Projection
from eventfold.fold import sets
from eventfold.fold.readmodel import KeptRecord
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.postgres import schema
from lyceum_generate.services import definitions

DECLARED = [
    pytest.param(projection, id=f"{name}-{projection.name}")
    for name, definition in definitions().items()
    for projection in definition.projections
    if projection.merges
]
PARTITIONS = 2
START = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = ("a", "b", "", 'say "c"', "back\\slash", "NULL", "{x,y}", "ü\n")
NUMBERS = (-7, 0, 1, 3, 2**39)
AMONG_FEW = {"member_id": ("m1", "m2"), "content_id": ("c1", "c2"), "product_id": ("c1", "p2"), "period": ("2026",)}
SCHEMA = "sets"


@dataclass(frozen=True)
class Writer:
    """A codec, and the schema with which it writes each type."""

    codec: AvroCodec
    schemas: dict[str, Any]


@dataclass(frozen=True)
class Codecs:
    """Reads everything; writes the newest minors, older ones, and with the ids of a registry."""

    reading: AvroCodec
    writing: Sequence[Writer]


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory) -> Codecs:
    """What each schema's fields with defaults are is taken as a later minor: the one before does not have them."""
    both, before = tmp_path_factory.mktemp("both"), tmp_path_factory.mktemp("before")
    for path in schema_folder().glob("*/*.avsc"):
        newest = json.loads(path.read_text())
        older = {**newest, "fields": [one for one in newest["fields"] if "default" not in one]}
        for folder, minors in ((both, (older, newest)), (before, (older,))):
            (folder / path.parent.name).mkdir(exist_ok=True)
            for minor, content in enumerate(minors[: 1 + (older != newest)]):
                name = path.name.replace(".v1.0.", f".v1.{minor}.")
                (folder / path.parent.name / name).write_text(json.dumps(content))
    ids = {one.dataschema: number for number, one in enumerate(shipped_schemas(both), start=1)}
    reading = AvroCodec(both, ids)
    return Codecs(reading, [_writer(both), Writer(reading, _of(both)), _writer(before)])


def _writer(folder: Path) -> Writer:
    return Writer(AvroCodec(folder), _of(folder))


def _of(folder: Path) -> dict[str, Any]:
    return {one.type: expand_schema(json.loads(one.text)) for one in shipped_schemas(folder)}


WAYS = ("general", "merged")


def schema_url(postgres_url: str, way: str) -> str:
    """Nothing here is about crashes: nobody waits for the disk."""
    return f"{postgres_url}?options=-csearch_path%3D{SCHEMA}_{way}%20-csynchronous_commit%3Doff"


def made(postgres_url: str, projection: Projection) -> None:
    """Empty tables for both ways."""
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        for way in WAYS:
            conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA}_{way} CASCADE")
            conn.execute(f"CREATE SCHEMA {SCHEMA}_{way}")
            conn.execute(f"SET search_path = {SCHEMA}_{way}")
            for statement in [*schema.all_statements(), *(table.create_sql for table in projection.tables)]:
                conn.execute(statement)


def data_of(kind: Any, rng: random.Random, name: str = "") -> Any:
    """Something that fits an Avro schema, out of few values, so that keys meet again."""
    if isinstance(kind, list):
        return data_of(rng.choice(kind), rng, name)
    if isinstance(kind, dict) and kind["type"] == "record":
        return {one["name"]: data_of(one["type"], rng, one["name"]) for one in kind["fields"]}
    if isinstance(kind, dict) and kind["type"] == "array":
        return [data_of(kind["items"], rng) for _ in range(rng.randrange(3))]
    if isinstance(kind, dict) and kind.get("logicalType") == "timestamp-micros":
        return START + timedelta(microseconds=rng.choice((0, 1, 10**6, 86_400 * 10**6)))
    plain = kind["type"] if isinstance(kind, dict) else kind
    few = {"null": (None,), "string": AMONG_FEW.get(name, TEXTS), "boolean": (True, False), "double": (0.5, -2.25)}
    return rng.choice(few.get(plain, NUMBERS[:-1] if plain == "int" else NUMBERS))


def records_of(projection: Projection, count: int, codecs: Codecs, rng: random.Random) -> dict[Any, list[KeptRecord]]:
    """Records by topic and partition; some were sent again, with the numbers that they had."""
    lanes: dict[Any, list[KeptRecord]] = {}
    for seq in range(1, count + 1):
        kind = rng.choice(projection.on)
        writer = rng.choice(codecs.writing)
        value = writer.codec.encode(kind.name, data_of(writer.schemas[kind.name], rng))
        lane = lanes.setdefault((kind.topic, rng.randrange(PARTITIONS)), [])
        lane.append(KeptRecord(len(lane), f"k{seq}".encode(), value, _headers(kind.name, seq)))
        if rng.random() < 0.2:
            again = rng.randrange(max(0, len(lane) - 3), len(lane))
            lane += [one._replace(offset=len(lane) + n) for n, one in enumerate(lane[again:])]
    return lanes


def _headers(kind: str, seq: int) -> list[tuple[str, bytes]]:
    at = (START + timedelta(seconds=seq)).isoformat().encode()
    return [("ce_type", kind.encode()), ("ce_sequence", b"%d" % seq), ("ce_id", b"%d" % seq), ("ce_time", at)]


def fetches_of(lanes: dict[Any, list[KeptRecord]], rng: random.Random) -> Iterator[list[PartitionBatch]]:
    """The records in fetches that are cut anywhere; some fetches begin with what was delivered before."""
    ends = dict.fromkeys(lanes, 0)
    while any(ends[place] < len(lane) for place, lane in lanes.items()):
        fetch = []
        for (topic, partition), lane in lanes.items():
            at = ends[topic, partition]
            start, end = max(0, at - rng.choice((0, 0, 2))), min(len(lane), at + rng.randrange(1, 12))
            ends[topic, partition] = end
            if start < end:
                fetch.append(PartitionBatch(topic, partition, lane[start:end]))
        yield fetch


async def folded(
    url: str, projection: Projection, avro: AvroCodec, fetches: Sequence[Any], *, spoilt: bool = False
) -> Any:
    """The rows, positions and parked records after these fetches, on emptied tables. Some fetches may not be readable
    as columns if one is `spoilt`."""
    async with AsyncConnectionPool(url, min_size=1, max_size=1, open=False, kwargs={"autocommit": True}) as pool:
        async with pool.connection() as conn:
            for name in ("fold_position", "dead_letter", *(table.name for table in projection.tables)):
                await conn.execute(f"DELETE FROM {name}")  # noqa: S608 - declared names
        runner = FoldRunner(worker="test", pool=pool, avro=avro, groups=[FoldGroup("all", (projection,), parks=True)])
        for fetch in fetches:
            runs = runner.decode(fetch)
            assert spoilt or all((run.fetched is not None) == bool(projection.merges) for run in runs)
            await runner.apply_decoded(runs)
        async with pool.connection() as conn:
            return {
                "position": await _rows(conn, "fold_position", "topic, partition, next_offset, seq, occurred_at"),
                "parked": await _rows(conn, "dead_letter", "projection, record_key, event_id"),
                **{one.name: await _rows(conn, one.name, ", ".join(one.columns)) for one in projection.tables},
            }


async def _rows(conn: Any, table: str, columns: str) -> list[Any]:
    cursor = await conn.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}")  # noqa: S608 - declared names
    return list(await cursor.fetchall())


def _never_one_by_one(one: sets.Sets, found: Any, projection: Projection, fresh: Any) -> Any:
    """`Sets.grouped`, which here may not fall back."""
    return found.grouped(projection, fresh)


@pytest.mark.parametrize("projection", DECLARED)
def test_sets_and_single_events_make_the_same_rows(
    projection: Projection, postgres_url: str, codecs: Codecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "SETS_FROM_RECORDS", 1)
    monkeypatch.setattr(sets.Sets, "grouped", _never_one_by_one)
    made(postgres_url, projection)
    ways = dict(zip(WAYS, (replace(projection, merges=()), projection), strict=True))

    @settings(max_examples=10)
    @given(seed=st.integers(0, 10**9), count=st.integers(1, 60))
    def equal(seed: int, count: int) -> None:
        rng = random.Random(seed)
        fetches = list(fetches_of(records_of(projection, count, codecs, rng), rng))
        general, merged = (
            asyncio.run(folded(schema_url(postgres_url, way), one, codecs.reading, fetches))
            for way, one in ways.items()
        )
        assert merged == general

    equal()


def _spoilt(kind: Any, codec: AvroCodec, **other: Any) -> bytes:
    at = START
    plain = {"member_id": "m", "content_id": "c", "rating": 3, "previous": None, "occurred_at": at}
    return codec.encode(kind.name, {**plain, **other})


def _with_text(codec: AvroCodec, text: bytes) -> bytes:
    return _spoilt(INTERACTION_RATED, codec, content_id="cc").replace(b"cc", text)


SPOILT: dict[str, Any] = {
    "a text that PostgreSQL refuses": lambda codec: _with_text(codec, b"c\0"),
    "a value that is cut off": lambda codec: _spoilt(INTERACTION_RATED, codec)[:-1],
    "a value that is too long": lambda codec: _spoilt(INTERACTION_RATED, codec) + b"x",
    "an unknown schema": lambda codec: b"\xc3\x01" + b"?" * 8 + _spoilt(INTERACTION_RATED, codec)[10:],
    "an unknown id": lambda codec: b"\0" + b"?" * 4 + _spoilt(INTERACTION_RATED, codec)[10:],
    "neither framing": lambda codec: b"?",
    "no value": lambda codec: None,
    "no text": lambda codec: _with_text(codec, b"\xff\xff"),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_cannot_be_applied_is_found_singly_and_fails_as_it_does_event_by_event(
    spoil: str, postgres_url: str, codecs: Codecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "SETS_FROM_RECORDS", 1)
    [projection] = [one.values[0] for one in DECLARED if one.id == "catalog-content_counter"]
    assert isinstance(projection, Projection)
    made(postgres_url, projection)
    lanes = {(INTERACTION_RATED.topic, 0): list[KeptRecord]()}
    [lane] = lanes.values()
    for seq in range(1, 12):
        value = SPOILT[spoil](codecs.reading) if seq == 5 else _spoilt(INTERACTION_RATED, codecs.reading)
        key = b"key" if seq in (5, 7) else b"other"
        lane.append(KeptRecord(seq - 1, key, value, _headers(INTERACTION_RATED.name, seq)))
    [place] = lanes
    fetches = [[PartitionBatch(*place, lane[:8])], [PartitionBatch(*place, lane[8:])]]
    found = [
        asyncio.run(_outcome(folded(schema_url(postgres_url, way), one, codecs.reading, fetches, spoilt=True)))
        for way, one in zip(WAYS, (replace(projection, merges=()), projection), strict=True)
    ]
    assert found[0] == found[1]


async def _outcome(folding: Any) -> Any:
    """What comes of it: rows, or the kind of failure."""
    try:
        return await folding
    except Exception as failure:  # noqa: BLE001 - it is compared
        return type(failure)
