"""The format in which trained factors are published, and the sentence that refuses any other bytes.

An npz file (numpy, no pickle) of uncompressed arrays: `version`; `about` (JSON in UTF-8: engine, snapshot, positions);
and for each of `items`, `features`, `tastes` a float32 matrix with a row a name, and the names as `….lengths` (bytes of
each) and `….text` (UTF-8, one after the other). Equal factors are equal bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from reco.model.archive import TooLarge, arrays_in
from reco.model.rows import Floats32
from reco.training.facts import Origin, Position

VERSION = 1
MAX_BYTES = 1 << 30


class FactorsRefused(ValueError):
    """Bytes that are no factors: damaged, of another version, or too many."""


@dataclass(frozen=True)
class Vectors:
    """Names, each once, with a vector each: `matrix` is names x dimensions."""

    names: tuple[str, ...]
    matrix: Floats32


@dataclass(frozen=True)
class Trained:
    """What an engine made. All vectors have one length; the last dimension of `items` and `features` is the bias, so
    that a member's vector ends with 1.

    `items`: by content id. `features`: as `features.of_item` names them; a new content is their weighted sum.
    `tastes`: as `features.of_interests` names them; a new member is their weighted sum.
    """

    engine: str
    origin: Origin
    items: Vectors
    features: Vectors
    tastes: Vectors

    @property
    def dimensions(self) -> int:
        """The length of a vector, the bias included."""
        return int(self.items.matrix.shape[1])


def to_bytes(trained: Trained) -> bytes:
    """The factors as they are published. Raises `FactorsRefused` for what `from_bytes` would not take."""
    _check(trained)
    about = {"engine": trained.engine, "snapshot": trained.origin.snapshot, "positions": trained.origin.positions}
    arrays = {"version": np.array(VERSION), "about": _text(json.dumps(about, ensure_ascii=False))}
    for kind in ("items", "features", "tastes"):
        vectors: Vectors = getattr(trained, kind)
        encoded = [name.encode() for name in vectors.names]
        arrays[kind] = vectors.matrix
        arrays[f"{kind}.lengths"] = np.array([len(one) for one in encoded], dtype=np.int32)
        arrays[f"{kind}.text"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    if out.tell() > MAX_BYTES:
        raise FactorsRefused(f"the factors are {out.tell():,} bytes, and {MAX_BYTES:,} are the most")
    return out.getvalue()


def from_bytes(body: bytes) -> Trained:
    """Factors from their bytes. Raises `FactorsRefused`."""
    arrays = _arrays(body)
    if arrays.get("version", np.array(0)).tolist() != VERSION:
        raise FactorsRefused("the factors have another version")
    try:
        about = json.loads(arrays["about"].tobytes())
        origin = Origin(str(about["snapshot"]), tuple(Position(*one) for one in about["positions"]))
        parts = {kind: _vectors(arrays, kind) for kind in ("items", "features", "tastes")}
        trained = Trained(engine=str(about["engine"]), origin=origin, **parts)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise FactorsRefused("the factors are damaged") from error
    _check(trained)
    return trained


def _arrays(body: bytes) -> Mapping[str, np.ndarray[Any, np.dtype[Any]]]:
    try:
        return arrays_in(body, MAX_BYTES)
    except TooLarge as error:
        raise FactorsRefused(f"the file of factors {error}") from error
    except Exception as error:  # a damaged archive raises whatever its reader falls over
        raise FactorsRefused("the factors cannot be read") from error


def _text(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _vectors(arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]], kind: str) -> Vectors:
    matrix, lengths, text = arrays[kind], arrays[f"{kind}.lengths"], arrays[f"{kind}.text"].tobytes()
    if matrix.dtype != np.float32 or lengths.dtype != np.int32 or lengths.ndim != 1 or (lengths < 0).any():
        raise ValueError(kind)
    if int(lengths.sum()) != len(text):
        raise ValueError(kind)
    ends = np.cumsum(lengths, dtype=np.int64)
    names = tuple(
        text[end - length : end].decode() for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    )
    return Vectors(names, matrix)


def _check(trained: Trained) -> None:
    kinds = [getattr(trained, field.name) for field in fields(trained) if field.name in ("items", "features", "tastes")]
    if any(one.matrix.ndim != 2 or one.matrix.shape[1] != trained.items.matrix.shape[1] for one in kinds):
        raise FactorsRefused("the factors' vectors have different lengths")
    if trained.dimensions < 2 or not len(trained.items.names):
        raise FactorsRefused("there are no factors")
    if any(len(set(one.names)) != len(one.matrix) for one in kinds):
        raise FactorsRefused("the factors and their names are not as many")
    if not all(np.isfinite(one.matrix).all() for one in kinds):
        raise FactorsRefused("a factor is not a finite number")
