"""Values decoded together are what each is decoded alone, whatever is wrong with one of them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.avro import AvroCodec, UnknownFingerprint, schema_folder, shipped_schemas
from contracts.golden import golden_files, read_golden
from contracts.many import WORTH_IT, Malformed, array_of, read_many

GOLDEN = Path(__file__).parents[3] / "schemas" / "golden"
CODEC = AvroCodec()
VALUES = [path.with_suffix(".bin").read_bytes() for path in golden_files(GOLDEN)]
CLAIMED = "lyceum.identity.member.claimed.v1"


def alone(values: Sequence[bytes], codec: AvroCodec = CODEC) -> list[Any]:
    return [codec.decode(value) for value in values]


def outcome(decode: Callable[[Sequence[bytes]], list[Any]], values: Sequence[bytes]) -> Any:
    """What came of it: data, or the class and words of what was raised."""
    try:
        return decode(values)
    except Exception as failure:  # noqa: BLE001 - whichever, both must raise it
        return type(failure), str(failure)


def shuffled(values: Sequence[bytes], times: int) -> list[bytes]:
    return random.Random(3).sample(list(values) * times, len(values) * times)


def read_together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many datums each call of `read_many` returned, from now on."""
    calls: list[int] = []

    def counting(datums: Sequence[bytes], writer: Any, reader: Any) -> list[Any]:
        found = read_many(datums, writer, reader)
        calls.append(len(found))
        return found

    monkeypatch.setattr("contracts.avro.read_many", counting)
    return calls


def test_given_many_values_of_every_schema_when_decoded_together_then_in_order_and_with_one_call_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, calls = shuffled(VALUES, WORTH_IT), read_together(monkeypatch)
    assert CODEC.decode_all(values) == alone(values)
    assert calls == [WORTH_IT] * len(VALUES)


@pytest.mark.parametrize("count", [0, 1, WORTH_IT - 1])
def test_given_few_values_when_decoded_together_then_each_is_read_by_itself(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    calls = read_together(monkeypatch)
    assert CODEC.decode_all(VALUES[:1] * count) == alone(VALUES[:1] * count)
    assert calls == []


def test_given_a_registrys_framing_and_both_when_decoded_together_then_the_same() -> None:
    ids = {one.dataschema: 100 + n for n, one in enumerate(shipped_schemas(schema_folder()))}
    codec = AvroCodec(ids=ids)
    datum = read_golden(GOLDEN / f"{CLAIMED}.0.json")
    registered, plain = codec.encode(CLAIMED, datum), CODEC.encode(CLAIMED, datum)
    for values in ([registered] * 40, [registered, plain] * 20):
        assert codec.decode_all(values) == [datum] * 40


def test_given_an_older_minor_when_decoded_together_then_resolved_to_the_newest(tmp_path: Path) -> None:
    shutil.copytree(schema_folder(), tmp_path, dirs_exist_ok=True)
    newest = json.loads((tmp_path / "identity" / "member_claimed.v1.0.avsc").read_text())
    newest["fields"].append({"name": "channel", "type": ["null", "string"], "default": None})
    (tmp_path / "identity" / "member_claimed.v1.1.avsc").write_text(json.dumps(newest))
    newer, datum = AvroCodec(tmp_path), read_golden(GOLDEN / f"{CLAIMED}.0.json")
    values = [CODEC.encode(CLAIMED, datum), newer.encode(CLAIMED, {**datum, "channel": "sms"})] * WORTH_IT
    assert newer.decode_all(values) == [{**datum, "channel": None}, {**datum, "channel": "sms"}] * WORTH_IT


def test_given_an_unknown_schema_among_many_when_decoded_together_then_it_is_named() -> None:
    with pytest.raises(UnknownFingerprint, match="6e6f742d6b6e6f77"):
        CODEC.decode_all([*VALUES[:1] * 40, b"\xc3\x01not-known"])


@given(data=st.data(), value=st.sampled_from(VALUES), at=st.integers(0, 39))
def test_given_one_mutilated_value_when_decoded_together_then_data_and_failure_are_those_of_one_by_one(
    data: st.DataObject, value: bytes, at: int
) -> None:
    values = [value] * 40
    begin = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(begin, min(len(value), begin + 4)))
    values[at] = value[:begin] + data.draw(st.binary(max_size=4)) + value[end:]
    assert outcome(CODEC.decode_all, values) == outcome(alone, values)


@pytest.mark.parametrize("change", [lambda datum: datum[:-1], lambda datum: datum + b"\x02"], ids=["short", "long"])
def test_given_a_datum_of_another_length_when_many_are_read_then_they_are_called_malformed(
    change: Callable[[bytes], bytes],
) -> None:
    parsed = array_of(
        {
            "type": "record",
            "name": "Pair",
            "fields": [
                {"name": "a", "type": "string"},
                {"name": "b", "type": "long"},
            ],
        }
    )
    datum = b"\x06abc\x08"
    assert read_many([datum] * 3, parsed, None) == [{"a": "abc", "b": 4}] * 3
    with pytest.raises(Malformed):
        read_many([datum, change(datum), datum], parsed, None)
