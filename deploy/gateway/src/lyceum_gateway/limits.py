"""How many requests the gateway takes: of all clients together, and of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLIENTS = 10_000
"""How many clients are counted at a time; whoever was not seen for longest is forgotten first."""
_CLIENT = "masked_remote_address"
_SHORTEST_S = 1.0


@dataclass(frozen=True)
class Limits:
    """Requests a second of all and of one client, and how often a minute one may try credentials (log in, register,
    refresh, claim). A client is an IPv4 address or the first 64 bits of an IPv6 address."""

    requests_per_s: int = 2000
    requests_per_client_per_s: int = 200
    credentials_per_client_per_min: int = 60

    @property
    def for_all(self) -> Mapping[str, object]:
        """The bucket that every request takes of."""
        return _bucket(self.requests_per_s, 1.0)

    @property
    def for_each(self) -> Sequence[Mapping[str, object]]:
        """The buckets of each client, by what the first look at a request noted of it."""
        return [
            _of("credential", _bucket(self.credentials_per_client_per_min, 60.0)),
            _of("other", _bucket(self.requests_per_client_per_s, 1.0)),
        ]


def _of(rate: str, bucket: Mapping[str, object]) -> Mapping[str, object]:
    return {"entries": [{"key": "rate", "value": rate}, {"key": _CLIENT}], "token_bucket": bucket}


def _bucket(requests: int, within_s: float) -> Mapping[str, object]:
    """Filled a little at a time, at most each second: whoever was refused need not wait for all of `within_s`."""
    every_s = max(within_s / requests, _SHORTEST_S)
    each = max(math.floor(requests * every_s / within_s), 1)
    return {"max_tokens": requests, "tokens_per_fill": each, "fill_interval": f"{every_s:.3f}s"}
