"""Whatever is recorded is read again as it was: what PostgreSQL or JSON would change is refused before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson
import psycopg
import pytest
from house import House, context
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import CODEC as SHELF_CODEC
from shelf import HOT_SHELF, SHELF, AddBook, BookAdded, Shelf, add

from eventfold import Ask, Decider, EventCodec, Idempotency, Item, SnapshotPolicy, StreamType
from eventfold.errors import InvalidInput, TooMuchAtOnce, Unrecordable
from eventfold.postgres.sessions import connect
from eventfold.write import desk
from eventfold.write.recordable import MAX_NAME_BYTES

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    name: str
    at: datetime


@dataclass(frozen=True)
class Everything:
    text: str
    whole: int
    number: float
    flag: bool
    at: datetime
    day: date
    word: Literal["a", "b"]
    colour: Colour
    maybe: str | None
    inner: Inner
    several: tuple[Inner, ...]
    listed: list[int]
    named: dict[str, float]
    members: frozenset[str]
    raw: bytes
    either: int | str
    anything: Any


GOOD = Everything(
    "文 \\u0000 \\",
    2**53 + 1,
    1e300,
    True,
    NOW,
    NOW.date(),
    "a",
    Colour.RED,
    None,
    Inner("n", NOW),
    (Inner("m", NOW),),
    [-(2**63), 2**63 - 1],
    {"": 0.1, "x": 5e-324},
    frozenset({"a", "b"}),
    b"\x00\xff",
    "5",
    {"a": [1, "b", None, True, 1.5]},
)
CODEC = EventCodec({Everything: ("everything", 1)})
ZONES = [UTC, timezone(timedelta(hours=8)), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")]

texts = st.text(max_size=5) | st.text(st.characters(), max_size=5) | st.sampled_from(["\x00", "\ud800", "a\udfffb"])
times = st.datetimes(timezones=st.none() | st.sampled_from(ZONES), allow_imaginary=True)
scalars: st.SearchStrategy[Any] = (
    texts
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=3)
    | times
    | st.dates()
    | st.decimals()
    | st.sampled_from([*Colour, "a", "red", -0.0, 2**63, 1e16, 1.5])
)
wild = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.tuples(inner) | st.dictionaries(texts | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)
inners = st.builds(Inner, texts, times)
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "whole": st.integers(),
    "number": st.floats(),
    "flag": st.booleans(),
    "at": times,
    "day": st.dates(),
    "word": st.sampled_from(["a", "b", "c"]),
    "colour": st.sampled_from(Colour),
    "maybe": st.none() | texts,
    "inner": inners,
    "several": st.lists(inners, max_size=2).map(tuple),
    "listed": st.lists(st.integers(), max_size=2),
    "named": st.dictionaries(texts, st.floats(), max_size=2),
    "members": st.frozensets(texts, max_size=2),
    "raw": st.binary(max_size=4),
    "either": st.integers() | texts,
    "anything": wild,
}


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        yield conn


def kept(conn: psycopg.Connection[Any], data: Any) -> Any:
    """What PostgreSQL makes of it."""
    [(text,)] = conn.execute("SELECT (%s::text::jsonb)::text", [orjson.dumps(data).decode()]).fetchall()
    return orjson.loads(text)


@settings(max_examples=600)
@given(changes=st.dictionaries(st.sampled_from(sorted(FITTING)), st.none(), max_size=4), data=st.data())
def test_whatever_encoding_accepts_is_read_again_as_it_was(
    postgres: psycopg.Connection[Any], changes: dict[str, None], data: st.DataObject
) -> None:
    drawn: dict[str, Any] = {name: data.draw(FITTING[name] | wild, label=name) for name in changes}
    event = replace(GOOD, **drawn)
    try:
        name, version, encoded = CODEC.encode(event)
    except Unrecordable as refused:
        assert changes and refused.ids["event_type"] == "everything"
        return
    assert CODEC.decode(name, version, kept(postgres, encoded)) == event


def test_what_is_good_is_accepted(postgres: psycopg.Connection[Any]) -> None:
    name, version, encoded = CODEC.encode(GOOD)
    assert CODEC.decode(name, version, kept(postgres, encoded)) == GOOD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "a\x00b"),
        ("text", "\ud800"),
        ("text", b"bytes"),
        ("text", 5),
        ("whole", 1.5),
        ("whole", 1.0),
        ("whole", True),
        ("whole", 2**63),
        ("whole", "1"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", -0.0),
        ("number", Decimal("0.1")),
        ("number", 2**53 + 1),
        ("flag", 1),
        ("at", NOW.replace(tzinfo=None)),
        ("at", "2026-01-01"),
        ("day", NOW),
        ("word", "c"),
        ("colour", "red"),
        ("maybe", 1),
        ("inner", {"name": "n"}),
        ("several", [Inner("m", NOW)]),
        ("listed", (1,)),
        ("listed", [True]),
        ("named", {1: 0.5}),
        ("named", {"a": float("nan")}),
        ("named", {"\x00": 0.5}),
        ("members", {"a"}),
        ("members", frozenset({"\ud800"})),
        ("anything", {1: "a"}),
        ("anything", [float("nan")]),
        ("anything", "\x00"),
        ("anything", -0.0),
        ("anything", 6.746422314593941e16),
        ("anything", (1, 2)),
        ("anything", Decimal(1)),
        ("either", True),
        ("either", 2**70),
    ],
)
def test_what_would_be_read_as_another_value_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(Unrecordable) as refused:
        CODEC.encode(replace(GOOD, **{field: value}))
    assert (refused.value.field or "").split(".")[0] == field
    assert isinstance(refused.value, InvalidInput) and repr(value) not in str(refused.value)


@pytest.mark.parametrize("value", [1e16, 2.0**53, 1.5, 1e300, -1e19, {"a": 3.0}], ids=repr)
def test_a_float_of_any_size_is_read_again_as_the_same_number(postgres: psycopg.Connection[Any], value: object) -> None:
    name, version, encoded = CODEC.encode(replace(GOOD, anything=value))
    assert CODEC.decode(name, version, kept(postgres, encoded)).anything == value


def test_what_is_within_is_named_by_its_path() -> None:
    with pytest.raises(Unrecordable, match=r"several\.\[1\]\.name of everything cannot be recorded: contains NUL"):
        CODEC.encode(replace(GOOD, several=(Inner("m", NOW), Inner("\x00", NOW))))


class Odd(Enum):
    """cattrs would read the first as the second."""

    NOT_A_NUMBER = float("nan")
    NOTHING = None


@dataclass(frozen=True)
class Oddly:
    odd: Odd


def test_an_enum_whose_values_json_confuses_is_refused() -> None:
    with pytest.raises(Unrecordable):
        EventCodec({Oddly: ("oddly", 1)}).encode(Oddly(Odd.NOT_A_NUMBER))


KEPT_SHELF = replace(SHELF, name="keptshelf", snapshots=SnapshotPolicy(Shelf, 1, every_events=2))


@pytest.mark.parametrize("title", ["a\x00b", "\ud800", "字" * 6_000_000], ids=["NUL", "surrogate", "too large"])
async def test_one_item_that_cannot_be_kept_is_refused_alone(house: House, title: str) -> None:
    items = [add("one", "a"), add("one", title), add("two", title), add("one", "b")]
    handled = await house.store.handle_batch(items, context())
    assert [len(outcome.events) for outcome in handled.outcomes] == [1, 0, 0, 1]
    assert all(isinstance(handled.outcomes[index].error, InvalidInput) for index in (1, 2))
    bulk = (await house.store.handle_batch([add("three", title), add("four", "a")], context())).outcomes
    assert isinstance(bulk[0].error, InvalidInput) and len(bulk[1].events) == 1
    with pytest.raises(InvalidInput):
        await house.store.handle(add("one", title), context())
    rows = await house.rows("SELECT stream, version, data->>'title' FROM events ORDER BY position")
    assert rows == [("shelf-one", 1, "a"), ("shelf-one", 2, "b"), ("shelf-four", 1, "a")]


@pytest.mark.parametrize(
    "shelf",
    ["a\x00b", "\ud800", "x" * MAX_NAME_BYTES, "字" * (MAX_NAME_BYTES // 3)],
    ids=["NUL", "surrogate", "long", "wide"],
)
@pytest.mark.parametrize("kind", [SHELF, HOT_SHELF, KEPT_SHELF], ids=["plain", "hot", "snapshots"])
async def test_a_stream_whose_name_cannot_be_kept_is_refused_alone(
    house: House, shelf: str, kind: StreamType[Any, Any, Any]
) -> None:
    bulk = (await house.store.handle_batch([add(shelf, "a", kind), add("four", "a", kind)], context())).outcomes
    assert isinstance(bulk[0].error, Unrecordable) and bulk[0].error.field == "stream" and len(bulk[1].events) == 1
    assert await house.store.current(kind.at(shelf)) == Shelf(), "nothing is there"
    with pytest.raises(Unrecordable):
        await house.store.handle(add(shelf, "a", kind), context())


@pytest.mark.parametrize(
    "changes",
    [
        {"correlation_id": "a\x00b"},
        {"causation_id": "\ud800"},
        {"actor": "\x00"},
        {"traceparent": "\udfff"},
        {"now": NOW.replace(tzinfo=None)},
        {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"occurred_at": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8)))},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_event_whose_surroundings_cannot_be_kept_is_refused(house: House, changes: dict[str, Any]) -> None:
    for title in ("a", "audit"):  # public and private
        with pytest.raises(Unrecordable):
            await house.store.handle(add("one", title), replace(context(), **changes))
    assert await house.rows("SELECT 1 FROM events") == []


async def test_an_event_at_the_ends_of_time_is_read_again(house: House) -> None:
    ends = [datetime(1, 1, 4, tzinfo=UTC), datetime(9999, 12, 28, tzinfo=timezone(timedelta(hours=-12)))]
    for at in ends:
        await house.store.handle(add("one", str(at.year)), replace(context(), occurred_at=at))
    async with await connect(house.url) as conn:
        stored = (await house.store.load(conn, ["shelf-one"]))["shelf-one"]
    assert [one.occurred_at for one in stored] == ends


@pytest.mark.parametrize("answer", [{"id": float("nan")}, {"id": "\x00"}, {"id": ("a",)}, {"id": NOW}], ids=str)
async def test_an_answer_that_would_be_another_when_repeated_is_refused(house: House, answer: dict[str, Any]) -> None:
    key = Idempotency("caller|AddBook", "k1", b"print")
    with pytest.raises(Unrecordable, match="answer of AddBook"):
        await house.store.handle(add("one", "a"), context(), idempotency=key, answer=lambda _: answer)
    assert await house.rows("SELECT 1 FROM events") == []


@dataclass(frozen=True)
class Mean:
    of: float = 0.0


async def test_a_state_that_would_be_another_when_restored_is_not_kept(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    policy = SnapshotPolicy(Mean, 1, every_events=1)
    decider: Decider[AddBook, Mean, BookAdded] = Decider(
        Mean(), lambda command, _: [BookAdded(command.title)], lambda _, event: Mean(float(event.title))
    )
    kind = StreamType("mean", decider, snapshots=policy)
    for title in ("1.5", "nan"):
        with caplog.at_level(logging.WARNING):
            await house.store.handle(Item((Ask(kind, "one", AddBook(title)),)), context())
    assert await house.rows("SELECT version, state FROM snapshot") == [(1, {"of": 1.5})]
    assert "no snapshot is kept" in caplog.text


SETTINGS = (
    "-c TimeZone=Asia/Kathmandu -c DateStyle=SQL,DMY -c IntervalStyle=sql_standard -c extra_float_digits=-15 "
    "-c client_encoding=LATIN1 -c bytea_output=escape -c array_nulls=off -c standard_conforming_strings=off"
)


async def test_a_session_is_the_same_whatever_its_role_says(house: House) -> None:
    # Given a role under which values are written and read in another way
    url = house.url.replace("options=", f"options={SETTINGS.replace(' ', '%20').replace('=', '%3D')}%20")
    async with await connect(url) as conn:
        # When it records and reads
        await house.store.decide(conn, [add("one", "书 \\ é")], replace(context(), occurred_at=NOW))
        [event] = (await house.store.load(conn, ["shelf-one"]))["shelf-one"]
        row = await (await conn.execute("SELECT 0.1::float8::text, now()::text, '\\x00ff'::bytea, '\\'")).fetchone()
    # Then it is as with any other
    assert (event.event, event.occurred_at.isoformat()) == (BookAdded("书 \\ é"), NOW.isoformat())
    assert row is not None and row[0] == "0.1" and row[1].endswith("+00") and row[2:] == (b"\x00\xff", "\\")


async def test_what_is_too_much_for_one_transaction_is_told_so_or_recorded_in_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given room for two of these books in a transaction
    monkeypatch.setattr(desk, "MAX_AT_ONCE_BYTES", 6000)
    titles = [str(n) * 1000 for n in range(5)]
    # When a batch has five, the rest is told to come again
    handled = await house.store.handle_batch([add("one", title) for title in titles], context())
    assert [type(outcome.error) for outcome in handled.outcomes] == [NoneType, NoneType, *[TooMuchAtOnce] * 3]
    bulk = (await house.store.handle_batch([add(title[:9], title) for title in titles], context())).outcomes
    assert [type(outcome.error) for outcome in bulk] == [NoneType, NoneType, *[TooMuchAtOnce] * 3]
    # When five callers wait for one hot stream, all are recorded
    await asyncio.gather(*(house.store.handle(add("one", title, HOT_SHELF), context()) for title in titles))
    rows = await house.rows("SELECT data->>'title' FROM events WHERE stream = 'hotshelf-one' ORDER BY version")
    assert sorted(str(title) for (title,) in rows) == titles
    # When one alone is more than that, it is refused
    with pytest.raises(TooMuchAtOnce):
        await house.store.handle(add("one", "x" * 6000), context())


async def test_too_many_events_for_one_transaction_are_told_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "MAX_AT_ONCE_EVENTS", 3)
    handled = await house.store.handle_batch([add("one", f"{n}") for n in range(5)], context())
    assert [type(outcome.error) for outcome in handled.outcomes] == [*[NoneType] * 3, *[TooMuchAtOnce] * 2]
    await house.store.handle_batch([add("one", f"{n}") for n in (3, 4)], context())
    assert len(await house.rows("SELECT 1 FROM events WHERE stream = 'shelf-one'")) == 5


async def test_whoever_decides_much_lets_others_have_their_turns(house: House) -> None:
    items = [add(f"{n}", "a") for n in range(1000)]
    asks = {ask.stream: ask for item in items for ask in item.asks}
    one = desk.Desk(SHELF_CODEC, {stream: desk.unwritten(ask) for stream, ask in asks.items()}, asks, house.store._row)
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(another())
    outcomes = await one.decide_all(items, context())
    beside.cancel()
    assert len(outcomes) == 1000 and turns >= 1000 / desk.ITEMS_AT_A_STRETCH
