"""What is learned, as bytes: arrays by name under a version. Rows are not in it; they come from the tables."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reco.model.archive import TooLarge, arrays_in

Arrays = dict[str, NDArray[Any]]
VERSION = 1
MAX_BYTES = 1 << 30
"""Of a state, packed and unpacked: a million items take 400 MB."""
VERSION_CHARS = 12


class StateRefused(ValueError):
    """Bytes that are no state of this model: another version, other features, or damaged."""


def version_of(body: bytes | bytearray) -> str:
    """What names bytes that were learned or trained: the beginning of their SHA-256."""
    return hashlib.sha256(body).hexdigest()[:VERSION_CHARS]


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as bytes. Raises `StateRefused` where a number is none: who learned it goes on from the last state
    that was right."""
    wrong = sorted(name for name, one in arrays.items() if one.dtype.kind == "f" and not np.isfinite(one).all())
    if wrong:
        raise StateRefused(f"what was learned holds numbers that are none: {', '.join(wrong[:3])}")
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, version=np.array(VERSION), **arrays)
    return out.getvalue()


def unpacked(state: bytes) -> Arrays:
    """The arrays that were packed. Raises `StateRefused`."""
    try:
        arrays = arrays_in(state, MAX_BYTES)
    except TooLarge as error:
        raise StateRefused(f"the state {error}") from error
    except Exception as error:  # a damaged archive raises whatever its reader falls over
        raise StateRefused("the state cannot be read") from error
    if int(arrays.pop("version", np.array(0))) != VERSION:
        raise StateRefused("the state has another version")
    return arrays


def under(prefix: str, arrays: Arrays) -> Arrays:
    """Those arrays whose name begins with `prefix`, without it."""
    return {name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)}
