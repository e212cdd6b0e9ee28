"""Who may ask for which recommendations, and which projections they are computed from."""

from __future__ import annotations

from typing import Final

from reco.projections.factors import FACTORS
from servicekit.policy import OPERATORS, Policies, Policy

SERVICE: Final = "lyceum.reco.v1.RecoService"

POLICIES: Final[Policies] = {
    "Recommend": Policy("query", OPERATORS, own="member_id", reads=(FACTORS.name,)),
    "ListSimilar": Policy("query", anyone=True, reads=(FACTORS.name,)),
    "ListPopular": Policy("query", anyone=True, reads=(FACTORS.name,)),
}
