"""Who may read which figures, and which projections they are computed from."""

from __future__ import annotations

from typing import Final

from servicekit.policy import OPERATORS, Policies, Policy

SERVICE: Final = "lyceum.metrics.v1.MetricsService"

POLICIES: Final[Policies] = {
    "GetRetention": Policy("query", OPERATORS, reads=("activity",)),
    "GetMemberRetention": Policy("query", OPERATORS, own="member_id", reads=("activity", "registry")),
    "GetActivity": Policy("query", OPERATORS, reads=("activity", "registry")),
    "GetMemberActivity": Policy("query", OPERATORS, own="member_id", reads=("activity", "registry")),
    "GetRevenue": Policy("query", OPERATORS, reads=("orders", "registry")),
    "GetOverview": Policy("query", OPERATORS, reads=("activity", "orders", "registry")),
}
