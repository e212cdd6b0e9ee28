"""The service's settings, read from the environment."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import ServiceSettings


class RecoSettings(ServiceSettings):
    """Bounds of the copy in memory (about 150 bytes a pair), how often it follows the tables, and rules of answers.

    Up to `reco_max_dense_items` there are matrices of items x items: 26 bytes for each pair of items, and 73 while they
    are fitted (1.2 GB at 4,000 items; by the square, 7.3 GB at 10,000). Beyond, the model's other parts go on alone.

    `reco_explored_share` of the places go to random candidates. An experiment has a name and arms, as
    `{"hybrid": 90, "items": 10}`; without a name there is none. What a slot showed within `reco_session_s` it does not
    show again. Impressions are kept for `reco_impressions_days`, in the table: as events they stay.
    """

    reco_max_items: int = 20_000
    reco_max_pairs: int = 2_000_000
    reco_max_dense_items: int = 10_000
    reco_max_history_items: int = 1_000
    reco_refresh_s: float = 0.3
    reco_max_per_creator: int = Field(default=3, ge=1, le=100)
    reco_explored_share: float = Field(default=0.05, ge=0.0, le=0.5)
    reco_session_s: float = Field(default=1_800.0, ge=0.0, le=86_400.0)
    reco_impressions_days: int = Field(default=30, ge=2, le=3_650)
    reco_experiment: str = ""
    reco_arms: dict[str, int] = Field(default_factory=dict)
