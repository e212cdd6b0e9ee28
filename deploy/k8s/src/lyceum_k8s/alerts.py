"""When somebody must look: alert rules, each with the runbook that says what to do; and what each service promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lyceum_k8s.facts import Facts
from lyceum_k8s.objects import Object, metadata

RUNBOOKS = "docs/runbooks"
FAULTS = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"
"""Statuses that are our failure, not the caller's (as the edge counts them for spans)."""


@dataclass(frozen=True)
class Alert:
    """A rule. `lasting` is how long it must hold; `page` whether somebody is woken, else it is a ticket."""

    name: str
    expression: str
    lasting: str
    summary: str
    runbook: str
    page: bool = False

    def rule(self) -> Object:
        """As Prometheus spells it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": "page" if self.page else "ticket"},
            "annotations": {"summary": self.summary, "runbook": f"{RUNBOOKS}/{self.runbook}.md"},
        }


@dataclass(frozen=True)
class Objective:
    """What a service promises over 30 days: the share of calls that do not fail by our fault, the share that is
    answered within `within_s` (a bound of the histogram), and how long after a command its effects are seen."""

    available: float
    fast: float
    within_s: float
    visible_s: int


OBJECTIVES = {
    "identity": Objective(0.999, 0.99, 0.5, 10),
    "catalog": Objective(0.999, 0.99, 0.25, 10),
    "billing": Objective(0.9995, 0.99, 0.25, 10),
    "reco": Objective(0.995, 0.99, 0.5, 60),
    "metrics": Objective(0.995, 0.95, 2.5, 300),
}
"""identity's log-ins cost half a second by the strength of their hash; metrics' forecasts look at every member."""
USUAL = Objective(0.999, 0.99, 0.5, 10)
BURNS = (("1h", "5m", 14.4, True), ("6h", "30m", 6.0, True), ("3d", "6h", 1.0, False))
"""Windows, long and short, with the pace at which the month's allowance is used (Google's SRE Workbook, chapter 5):
2% in an hour, 5% in six, 10% in three days."""

RELAY = (
    Alert(
        "RelayBehind",
        "max by (relay) (eventfold_relay_lag_seconds) > 10",
        "1m",
        "Events of {{ $labels.relay }} wait for Kafka: what members did is not seen.",
        "relay-not-leading",
        page=True,
    ),
    Alert(
        "RelayRewound",
        "max by (relay) (eventfold_relay_rewound) > 0",
        "0m",
        "The store of {{ $labels.relay }} is behind its topics: nothing is sent until `recover` was run.",
        "rewound-history",
        page=True,
    ),
    Alert(
        "RelayRefused",
        "max by (job, namespace, pod) (eventfold_relay_refused_events) > 0",
        "5m",
        "The broker refuses events for good; they and what comes after them under their keys wait.",
        "refused-events",
    ),
    Alert(
        "RelayRestarts",
        "increase(eventfold_relay_restarts_total[15m]) > 5",
        "0m",
        "{{ $labels.relay }} starts again and again.",
        "relay-not-leading",
    ),
    Alert(
        "TopicLostRecords",
        "max by (topic) (eventfold_topic_short_partitions) > 0",
        "1m",
        "{{ $labels.topic }} lost what it had acknowledged; it is sent again. Look at the brokers' disks.",
        "topic-loss",
        page=True,
    ),
)
FOLDS = (
    Alert(
        "FoldHalted",
        "max by (namespace, pod, reason) (eventfold_fold_halted) > 0",
        "0m",
        "{{ $labels.pod }} halted on {{ $labels.reason }}: a restart alone does not heal most of these.",
        "worker-halted",
        page=True,
    ),
    Alert(
        "FoldGroupStill",
        "max by (worker, group) (eventfold_fold_group_still) > 0",
        "1m",
        "Group {{ $labels.group }} of {{ $labels.worker }} stands still, and its rows get older.",
        "worker-halted",
        page=True,
    ),
    Alert(
        "FoldNotReading",
        "max by (group) (eventfold_fold_ready) == 0",
        "2m",
        "No worker of {{ $labels.group }} reads.",
        "worker-halted",
        page=True,
    ),
    Alert(
        "FoldBehind",
        "sum by (projection) (eventfold_fold_lag_records) > 100000 "
        "and sum by (projection) (deriv(eventfold_fold_lag_records[10m])) > 0",
        "10m",
        "{{ $labels.projection }} falls further behind.",
        "worker-halted",
    ),
    Alert(
        "RecordsParked",
        "max by (projection) (eventfold_parked_records) > 0",
        "5m",
        "{{ $labels.projection }} has set records aside; at 1,000 its worker halts.",
        "dead-letters",
    ),
    Alert(
        "ManyRecordsParked",
        "max by (projection) (eventfold_parked_records) > 500 "
        "or max by (projection) (eventfold_parked_bytes) > 33554432",
        "0m",
        "{{ $labels.projection }} is halfway to halting.",
        "dead-letters",
        page=True,
    ),
)
OTHERS = (
    Alert(
        "CertificateExpires",
        "min by (namespace, pod) (lyceum_certificate_expires_timestamp_seconds) - time() < 7 * 86400",
        "10m",
        "{{ $labels.pod }} holds a certificate that ends within a week: cert-manager or Strimzi did not renew it.",
        "certificates",
        page=True,
    ),
    Alert(
        "CertificateRefused",
        "increase(lyceum_certificate_refused_total[15m]) > 0",
        "0m",
        "{{ $labels.pod }} was given a certificate that it cannot use, and goes on with the one before.",
        "certificates",
    ),
    Alert(
        "DueDatesLate",
        "max by (worker) (eventfold_due_lag_seconds) > 60",
        "5m",
        "Due dates of {{ $labels.worker }} are late.",
        "due-dates",
    ),
    Alert(
        "DueDatesRefused",
        'increase(eventfold_due_looks_total{result="refused"}[15m]) > 0',
        "0m",
        "A due date's handler refuses {{ $labels.stream_type }}.",
        "due-dates",
    ),
    Alert(
        "ServersOverloaded",
        "sum by (pod) (increase(lyceum_overloaded_total[5m])) > 10",
        "5m",
        "{{ $labels.pod }} refuses calls because there are too many.",
        "slo",
    ),
    Alert(
        "BackgroundRestarts",
        "increase(lyceum_background_restarts_total[15m]) > 5",
        "0m",
        "{{ $labels.task }} beside a server starts again and again.",
        "relay-not-leading",
    ),
    Alert(
        "CodesNotSent",
        'increase(lyceum_identity_claim_codes_total{outcome="failed"}[10m]) > 0',
        "5m",
        "One-time codes do not reach members: look at the notifier.",
        "slo",
        page=True,
    ),
    Alert(
        "WebhooksLate",
        'max by (job) (lyceum_webhooks_oldest_due_seconds{lane="fast"}) > 60',
        "5m",
        "Deliveries to endpoints that answer are late: the sender does not keep up, or does not run.",
        "webhooks",
        page=True,
    ),
    Alert(
        "WebhooksUntold",
        "max by (job) (lyceum_webhooks_oldest_untold_seconds) > 300",
        "5m",
        "What happened is not made into deliveries: no sender leads. After 7 days it is told to nobody.",
        "webhooks",
        page=True,
    ),
    Alert(
        "WebhooksFail",
        "increase(lyceum_webhooks_failed_total[1d]) > 100",
        "0m",
        "Deliveries are given up after a day of attempts: look whether it is one receiver, or our way out.",
        "webhooks",
    ),
    Alert(
        "WebhookEndpointsDisabled",
        "sum by (reason) (increase(lyceum_webhooks_disabled_total[1d])) > 5",
        "0m",
        "Endpoints are disabled ({{ $labels.reason }}): if they are many, the fault is ours.",
        "webhooks",
    ),
    Alert(
        "ImpressionsLost",
        "increase(lyceum_reco_impressions_lost_total[15m]) > 0",
        "0m",
        "reco could not record what it showed.",
        "recommendations",
    ),
)


def objective(service: str) -> Objective:
    """What a service promises."""
    return OBJECTIVES.get(service, USUAL)


def rules(services: Sequence[Facts]) -> Object:
    """All rules, as one object of the Prometheus operator."""
    groups = [_group("lyceum-relay", RELAY), _group("lyceum-folds", FOLDS), _group("lyceum-others", OTHERS)]
    groups += [
        {"name": f"lyceum-slo-{one.name}", "rules": [*_recorded(one.name), *_burning(one.name)]} for one in services
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata("lyceum", {"app.kubernetes.io/part-of": "lyceum"}),
        "spec": {"groups": groups},
    }


def _group(name: str, alerts: Sequence[Alert]) -> Object:
    return {"name": name, "rules": [one.rule() for one in alerts]}


def _recorded(service: str) -> Iterator[Object]:
    """The share of calls that failed, and that were slow, over each window."""
    promised = objective(service)
    calls = f'method=~"/lyceum\\\\.{service}\\\\..*"'
    for window in dict.fromkeys(window for long, short, *_ in BURNS for window in (long, short)):
        every = f"sum(rate(lyceum_call_seconds_count{{{calls}}}[{window}]))"
        faults = f'sum(rate(lyceum_call_seconds_count{{{calls},status=~"{FAULTS}"}}[{window}]))'
        quick = f'sum(rate(lyceum_call_seconds_bucket{{{calls},le="{promised.within_s}"}}[{window}]))'
        told = {"service": service}
        yield {"record": f"lyceum:call_faults:ratio_{window}", "expr": f"{faults} / {every}", "labels": told}
        yield {"record": f"lyceum:call_slow:ratio_{window}", "expr": f"1 - {quick} / {every}", "labels": told}


def _burning(service: str) -> Iterator[Object]:
    promised = objective(service)
    for what, share in (("faults", promised.available), ("slow", promised.fast)):
        for long, short, pace, page in BURNS:
            above = f"{pace * (1 - share):.6g}"
            both = (f'lyceum:call_{what}:ratio_{window}{{service="{service}"}} > {above}' for window in (long, short))
            yield Alert(
                "CallsFail" if what == "faults" else "CallsAreSlow",
                " and ".join(both),
                "2m" if page else "1h",
                f"{service} uses its allowance of a month {pace:g} times as fast as it lasts ({long}).",
                "slo",
                page,
            ).rule() | {"labels": {"severity": "page" if page else "ticket", "service": service, "window": long}}
