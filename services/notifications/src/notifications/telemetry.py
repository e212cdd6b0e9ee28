"""The metrics of webhooks, and what each tells an operator."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

OLDEST_DUE_S = Gauge(
    "lyceum_webhooks_oldest_due_seconds",
    "How late the oldest due delivery is, by lane: fast, new or slow.",
    ["lane"],
)
OLDEST_UNTOLD_S = Gauge(
    "lyceum_webhooks_oldest_untold_seconds", "How long ago the oldest event happened of which no delivery was made yet."
)
ATTEMPTS = Counter(
    "lyceum_webhooks_attempts",
    "Requests to endpoints, by outcome: delivered, refused, unreachable or gone.",
    ["outcome"],
)
FAILED = Counter("lyceum_webhooks_failed", "Deliveries given up after a day; their owners can have them sent again.")
DISABLED = Counter(
    "lyceum_webhooks_disabled", "Endpoints disabled by the sender, by reason: gone or silent.", ["reason"]
)
TOLD = Counter("lyceum_webhooks_told", "Deliveries made ready, by type.", ["type"])
IN_FLIGHT = Gauge("lyceum_webhooks_in_flight", "Requests under way, by lane.", ["lane"])
SWEPT = Counter("lyceum_webhooks_swept", "Rows deleted because of their age, by table.", ["table"])
