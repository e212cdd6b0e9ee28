"""Reads arrays from bytes that somebody else wrote: npz without pickle, and no more memory than is allowed."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import IO, Any, Final
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MAX_ARRAYS: Final = 1_000
_HEADERS: Final[dict[tuple[int, int], Callable[..., Any]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


class TooLarge(ValueError):
    """The bytes, or the arrays that they say they hold, are more than allowed. The text says what is, as after "it"."""


def arrays_in(body: bytes, max_bytes: int) -> dict[str, NDArray[Any]]:
    """The arrays by name. A few bytes can be packed that claim to be gigabytes: what they claim is compared with
    `max_bytes` before anything is unpacked, and with what they hold before anything is made of it.

    Raises `TooLarge`; for damaged bytes, whatever their reader falls over.
    """
    if len(body) > max_bytes:
        raise TooLarge(f"is {len(body):,} bytes, and {max_bytes:,} are the most")
    with ZipFile(io.BytesIO(body)) as kept:
        members = kept.infolist()
        if len(members) > MAX_ARRAYS:
            raise TooLarge(f"holds {len(members):,} arrays, and {MAX_ARRAYS:,} are the most")
        unpacked = sum(one.file_size for one in members)
        if unpacked > max_bytes:
            raise TooLarge(f"unpacks to {unpacked:,} bytes, and {max_bytes:,} are the most")
        found: dict[str, NDArray[Any]] = {}
        for one in members:
            with kept.open(one) as file:
                found[one.filename.removesuffix(".npy")] = _array(file, one.file_size)
    return found


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """One array. Its header says how much memory it takes: it must be what follows."""
    held = io.BytesIO(file.read(size))  # reads no more, whatever the packed bytes would give
    shape, _, dtype = _HEADERS[npy.read_magic(held)](held)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != size - held.tell():
        raise ValueError("an array is not as large as it says")
    held.seek(0)
    return np.asarray(npy.read_array(held, allow_pickle=False))
