"""Bytes that claim more than they may hold are refused before anything is made of them, by name."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from reco.bootstrap import DEFINITION
from reco.model import state
from reco.model.archive import MAX_ARRAYS, TooLarge, arrays_in
from reco.model.state import StateRefused, packed, unpacked
from reco.recommendation.states import States
from reco.training.factors import FactorsRefused, from_bytes
from servicekit.testing import House, housed

MIB = 1 << 20


def bomb(unpacked_mib: int) -> bytes:
    """An archive of a few kilobytes with one array of so many megabytes of zeros."""
    out = io.BytesIO()
    np.savez_compressed(out, zeros=np.zeros(unpacked_mib * MIB, dtype=np.uint8))
    assert len(out.getvalue()) < unpacked_mib * MIB // 500
    return out.getvalue()


def lying(shape: tuple[int, ...]) -> bytes:
    """An archive with one array of eight bytes that says it is of this shape."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("version.npy", header.getvalue() + bytes(8))
    return out.getvalue()


def peak_mib(work: Callable[[], object]) -> float:
    """What `work` held at most, in megabytes; numpy and the readers of archives report to this."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def test_given_a_bomb_when_read_then_it_is_refused_and_never_unpacked() -> None:
    body = bomb(100)

    def refused() -> None:
        with pytest.raises(TooLarge, match=r"unpacks to 104,857,\d{3} bytes, and 10,485,760 are the most"):
            arrays_in(body, 10 * MIB)

    assert peak_mib(refused) < 5


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20, 1 << 20), (2,), (0,), (1 << 27,)])
def test_given_an_array_that_says_it_is_larger_than_it_is_when_read_then_no_memory_is_taken_for_it(
    shape: tuple[int, ...],
) -> None:
    def refused() -> None:
        with pytest.raises(ValueError, match="not as large as it says"):
            arrays_in(lying(shape), 1 << 50)

    assert peak_mib(refused) < 5


def test_given_many_arrays_or_many_bytes_when_read_then_they_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number in range(MAX_ARRAYS + 1):
            made.writestr(f"{number}.npy", b"")
    with pytest.raises(TooLarge, match="holds 1,001 arrays, and 1,000 are the most"):
        arrays_in(out.getvalue(), 1 << 30)
    with pytest.raises(TooLarge, match="is 100 bytes, and 99 are the most"):
        arrays_in(bytes(100), 99)


def test_given_objects_when_read_then_they_are_not_made() -> None:
    out = io.BytesIO()
    np.savez(out, bad=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError):
        arrays_in(out.getvalue(), MIB)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "a.b", "0.w.1"]), st.lists(finite, max_size=5)))
def test_given_arrays_that_were_packed_when_read_then_they_are_the_same(held: dict[str, list[float]]) -> None:
    text = np.array(["", "content", "内容"])
    found = unpacked(packed({**{name: np.array(one) for name, one in held.items()}, "text": text}))
    assert {name: one.tolist() for name, one in found.items()} == {**held, "text": text.tolist()}


def test_given_a_bomb_when_taken_for_a_state_or_for_factors_then_a_sentence_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "MAX_BYTES", MIB)
    monkeypatch.setattr("reco.training.factors.MAX_BYTES", MIB)
    with pytest.raises(StateRefused, match="the state unpacks to 10,485,"):
        unpacked(bomb(10))
    with pytest.raises(FactorsRefused, match="the file of factors unpacks to 10,485,"):
        from_bytes(bomb(10))
    with pytest.raises(StateRefused, match="the state cannot be read"):
        unpacked(lying((1 << 40,)))


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


async def test_given_a_state_of_too_many_bytes_when_looked_for_then_it_is_refused_without_being_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.pool.connection() as conn:
        await conn.execute("INSERT INTO learned_state (name, version, body) VALUES ('model', 'x', %s)", [bytes(1_001)])
    monkeypatch.setattr("reco.recommendation.states.MAX_BYTES", 1_000)
    with pytest.raises(StateRefused, match="the state is 1,001 bytes, and 1,000 are the most"):
        await States(house.pool).newest()
