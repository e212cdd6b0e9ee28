"""Arrays that grow at their end, and square matrices that grow at both."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
FIRST_CAPACITY = 16


def capacity_for(size: int) -> int:
    """Room for `size` elements and as many again, so that growth costs the same on average however large it gets."""
    return max(FIRST_CAPACITY, 2 * size)


class Vector(Generic[T]):
    """A one-dimensional array with spare room; new elements are 0."""

    def __init__(self, dtype: type[T]) -> None:
        self._room: NDArray[T] = np.zeros(FIRST_CAPACITY, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[T]:
        """The elements, as a view: it is void once the vector grows."""
        return self._room[: self._size]

    def grow(self, size: int) -> None:
        """Hold at least `size` elements."""
        if size > len(self._room):
            larger = np.zeros(capacity_for(size), dtype=self._room.dtype)
            larger[: self._size] = self.values
            self._room = larger
        self._size = max(self._size, size)


class Square(Generic[T]):
    """A square matrix with spare room; new elements are 0."""

    def __init__(self, dtype: type[T]) -> None:
        self._room: NDArray[T] = np.zeros((FIRST_CAPACITY, FIRST_CAPACITY), dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[T]:
        """The elements, as a view: it is void once the matrix grows."""
        return self._room[: self._size, : self._size]

    def grow(self, size: int) -> None:
        """Hold at least `size` rows and columns."""
        if size > len(self._room):
            room = max(FIRST_CAPACITY, size + size // 4)
            larger = np.zeros((room, room), dtype=self._room.dtype)
            larger[: self._size, : self._size] = self.values
            self._room = larger
        self._size = max(self._size, size)
