"""The keys that sign quotes: orders accept what pricing signed."""

from __future__ import annotations

from typing import Final

from billing.pricing.domain.quote import VALID_FOR
from servicekit import keys
from servicekit.keyring import KeyRing
from servicekit.rotation import KeyKind
from servicekit.settings import ServiceSettings

QUOTE_KEY: Final = KeyKind("quote", "quote.key", keys.hmac_key, needed_s=VALID_FOR.total_seconds())


def quote_keys(settings: ServiceSettings) -> KeyRing:
    """The keys, read now: the first of them signs, any is accepted."""
    ring = KeyRing(settings.key_dir, QUOTE_KEY.file, QUOTE_KEY.make)
    ring.reload()
    return ring
