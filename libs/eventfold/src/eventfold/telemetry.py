"""All metrics of eventfold in one place, each with its meaning for an operator."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RELAY_SENT = Counter("eventfold_relay_sent_total", "Records acknowledged by Kafka.", ["relay"])
RELAY_RESTARTS = Counter(
    "eventfold_relay_restarts_total", "Times the relay started again from its cursor; growing means trouble.", ["relay"]
)
RELAY_LEADING = Gauge("eventfold_relay_leading_epoch", "Epoch of the lease while leading, else 0.", ["relay"])
RELAY_LAG_SECONDS = Gauge(
    "eventfold_relay_lag_seconds",
    "How long ago the oldest event was recorded that Kafka has not acknowledged, leading or not; 0: there is none.",
    ["relay"],
)
RELAY_REWOUND = Gauge(
    "eventfold_relay_rewound",
    "1 while a topic holds what the store does not, and nothing is sent: run `recover`.",
    ["relay"],
)
RELAY_REFUSED = Gauge(
    "eventfold_relay_refused_events",
    "Events that the broker refuses for good; they and what comes after them under their keys wait. Above 0: look.",
)
RELAY_SENT_AGAIN = Counter(
    "eventfold_relay_lost_by_topic_total",
    "Times that a partition no longer held what was acknowledged, and got it again: look at the brokers' disks.",
    ["topic"],
)
TOPIC_SHORT = Gauge(
    "eventfold_topic_short_partitions",
    "Partitions whose last record is older than what was acknowledged there; above 0 while it is sent again.",
    ["topic"],
)
RELAY_SEND_SECONDS = Histogram("eventfold_relay_send_seconds", "From first send to last ack of a batch.", ["relay"])
FOLD_EVENTS = Counter("eventfold_fold_events_total", "Events applied to a projection.", ["projection"])
FOLD_DUPLICATES = Counter(
    "eventfold_fold_duplicates_total", "Records dropped because their sequence was applied before.", ["projection"]
)
FOLD_BATCH_SECONDS = Histogram("eventfold_fold_batch_seconds", "One batch: load, fold, write, commit.", ["worker"])
FOLD_LAG = Gauge(
    "eventfold_fold_lag_records",
    "Records that a handler has yet to apply, of the partitions that the worker has; growing: too slow, or stuck.",
    ["projection", "topic", "partition"],
)
FOLD_READY = Gauge(
    "eventfold_fold_ready",
    "1 while the worker reads the partitions that it has, from their stored positions on; 0 before it has joined its "
    "group, and while partitions change hands.",
    ["group"],
)
FOLD_STALE = Counter(
    "eventfold_fold_stale_total", "Batches dropped because another worker had moved the position.", ["projection"]
)
FOLD_HALTED = Gauge(
    "eventfold_fold_halted",
    "1 on the page that a halted worker keeps up before it leaves with status 70, by the class of what it halted on; "
    "above 0: somebody must look, a restart alone does not heal most of them.",
    ["reason"],
)
FOLD_GROUP_STILL = Gauge(
    "eventfold_fold_group_still",
    "1 while a group of folds that parks stands still on what no parking helps, and the others of its worker go on: "
    "somebody must look, its rows get older.",
    ["worker", "group"],
)
PARKED_RECORDS = Gauge(
    "eventfold_parked_records",
    "Records that a projection has parked now, as its store says; at 1,000 its worker halts. On the server's page, so "
    "that it is there when the worker is not; redriving and discarding lower it.",
    ["projection"],
)
PARKED_BYTES = Gauge(
    "eventfold_parked_bytes",
    "Bytes of what a projection has parked now; at 67,108,864 its worker halts.",
    ["projection"],
)
DEAD_LETTERS = Counter(
    "eventfold_dead_letters_total",
    "Records parked since the worker started, redriven ones too; what is parked now says `eventfold_parked_records`.",
    ["projection"],
)
DUE_LAG_SECONDS = Gauge(
    "eventfold_due_lag_seconds",
    "How late the oldest due date of the last look was, while leading; growing: too slow.",
    ["worker"],
)
DUE_LOOKS = Counter(
    "eventfold_due_looks_total",
    "Looks at due streams by what came of them: recorded, later (tried again after a pause), refused (somebody must "
    "look), moved (the date had changed meanwhile).",
    ["worker", "stream_type", "result"],
)
BACKGROUND_RESTARTS = Counter(
    "lyceum_background_restarts_total",
    "Times that something beside a server started again after a passing failure; growing: it cannot work.",
    ["task"],
)
CERTIFICATE_EXPIRES = Gauge(
    "lyceum_certificate_expires_timestamp_seconds",
    "When the certificate in use ends to be valid, by its folder; renewed long before: alert 7 days ahead.",
    ["folder"],
)
CERTIFICATE_REFUSED = Counter(
    "lyceum_certificate_refused_total",
    "Times that renewed files were found unusable, by their folder; the ones before serve on, until they expire: look.",
    ["folder"],
)
