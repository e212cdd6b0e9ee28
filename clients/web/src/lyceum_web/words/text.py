"""A text of a page in both languages."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """The same in English and in Chinese. `{name}` is a gap that the page fills."""

    en: str
    zh: str
