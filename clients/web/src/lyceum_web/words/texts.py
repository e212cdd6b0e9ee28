"""The one catalogue of texts: each in English and in Chinese. A key stands in one of the modules only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.words import member_texts, money_texts, page_texts
from lyceum_web.words.text import Text

TEXTS: Final[Mapping[str, Text]] = {**page_texts.TEXTS, **member_texts.TEXTS, **money_texts.TEXTS}
