"""identity's metrics in one place, with their meaning for an operator."""

from __future__ import annotations

from prometheus_client import Counter

CLAIM_CODES = Counter(
    "lyceum_identity_claim_codes_total",
    "One-time codes: sent; failed (look at the notifier: callers are not told); dropped (too many at once).",
    ["outcome"],
)
