"""What the model is told: one row for each pair of member and content, and one for each content."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


class Pair(NamedTuple):
    """A member has met a content. Times are business times in microseconds since 1970.

    `strength` above 0: the member took to it; it counts as one item of the member's history, whatever its size.
    0 or below (hidden, rated low, left at once): it is never recommended to this member again, and speaks against
    what is like it.
    """

    member_id: str
    content_id: str
    first_us: int
    last_us: int
    strength: float


class Item(NamedTuple):
    """A content as it was last published. `published` is False from its withdrawal on."""

    content_id: str
    creator_id: str = ""
    kind: str = ""
    tags: tuple[str, ...] = ()
    category: str | None = None
    published_us: int = 0
    published: bool = True
