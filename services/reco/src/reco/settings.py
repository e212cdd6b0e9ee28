"""The service's settings, read from the environment."""

from __future__ import annotations

from servicekit.settings import ServiceSettings


class RecoSettings(ServiceSettings):
    """Bounds of the matrix in memory (about 150 bytes a pair), and the interval at which it follows the tables."""

    reco_max_items: int = 20_000
    reco_max_pairs: int = 2_000_000
    reco_max_history_items: int = 1_000
    reco_refresh_s: float = 1.0
