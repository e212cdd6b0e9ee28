"""Who may read which figures, and which projections they are computed from."""

from __future__ import annotations

from typing import Final

from servicekit.policy import Policies, Policy

SERVICE: Final = "lyceum.metrics.v1.MetricsService"
MAY_ASK: Final = ("importer", "auditor", "admin", "creator")

POLICIES: Final[Policies] = {
    "GetRetention": Policy("query", MAY_ASK, reads=("activity",)),
    "GetMemberRetention": Policy("query", MAY_ASK, own="member_id", reads=("activity", "registry")),
    "GetActivity": Policy("query", MAY_ASK, reads=("activity", "registry")),
    "GetMemberActivity": Policy("query", MAY_ASK, own="member_id", reads=("activity", "registry")),
    "GetRevenue": Policy("query", MAY_ASK, reads=("orders", "registry")),
    "GetOverview": Policy("query", MAY_ASK, reads=("activity", "orders", "registry")),
}
