"""Dashboards for Grafana, as the JSON that it reads from ConfigMaps with the label `grafana_dashboard`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lyceum_k8s.objects import Object, metadata

WIDTH, HEIGHT, COLUMNS = 12, 8, 24
SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True)
class Panel:
    """A diagram: its title, its unit (Grafana's name for it), and queries by the pattern of their legend."""

    title: str
    unit: str
    queries: dict[str, str]
    says: str = ""


def _p99(histogram: str, label: str) -> str:
    """The time within which 99 of 100 are done, by a label."""
    return f"histogram_quantile(0.99, sum by (le, {label}) (rate({histogram}_bucket[$__rate_interval])))"


CALLS = (
    Panel("Calls", "reqps", {"{{method}}": "sum by (method) (rate(lyceum_call_seconds_count[$__rate_interval]))"}),
    Panel(
        "Calls that did not succeed",
        "reqps",
        {"{{status}}": 'sum by (status) (rate(lyceum_call_seconds_count{status!="OK"}[$__rate_interval]))'},
        "UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS and DEADLINE_EXCEEDED are ours; the others the caller's.",
    ),
    Panel(
        "Time of calls, 99 of 100",
        "s",
        {"{{method}}": _p99("lyceum_call_seconds", "method")},
    ),
    Panel("Share of failed calls, 1 h", "percentunit", {"{{service}}": "lyceum:call_faults:ratio_1h"}),
    Panel("Share of slow calls, 1 h", "percentunit", {"{{service}}": "lyceum:call_slow:ratio_1h"}),
    Panel(
        "One-time codes", "short", {"{{outcome}}": "sum by (outcome) (increase(lyceum_identity_claim_codes_total[1h]))"}
    ),
)
EVENTS = (
    Panel("Events not yet on Kafka", "s", {"{{relay}}": "max by (relay) (eventfold_relay_lag_seconds)"}),
    Panel("Events sent", "eps", {"{{relay}}": "sum by (relay) (rate(eventfold_relay_sent_total[$__rate_interval]))"}),
    Panel(
        "Who leads",
        "short",
        {"{{relay}} {{pod}}": "eventfold_relay_leading_epoch > 0"},
        "The term; it grows by one with each leader.",
    ),
    Panel(
        "What sending waits for",
        "short",
        {
            "restarts {{relay}}": "sum by (relay) (increase(eventfold_relay_restarts_total[15m]))",
            "refused {{pod}}": "eventfold_relay_refused_events",
            "rewound {{relay}}": "eventfold_relay_rewound",
        },
    ),
    Panel("Records to fold", "short", {"{{projection}}": "sum by (projection) (eventfold_fold_lag_records)"}),
    Panel(
        "Events folded",
        "eps",
        {"{{projection}}": "sum by (projection) (rate(eventfold_fold_events_total[$__rate_interval]))"},
    ),
    Panel(
        "Time of a batch, 99 of 100",
        "s",
        {"{{worker}}": _p99("eventfold_fold_batch_seconds", "worker")},
    ),
    Panel("Records set aside", "short", {"{{projection}}": "max by (projection) (eventfold_parked_records)"}),
    Panel(
        "Duplicates dropped",
        "eps",
        {"{{projection}}": "sum by (projection) (rate(eventfold_fold_duplicates_total[$__rate_interval]))"},
    ),
    Panel("Late due dates", "s", {"{{worker}}": "max by (worker) (eventfold_due_lag_seconds)"}),
)
PROCESSES = (
    Panel("Memory", "bytes", {"{{pod}}": "process_resident_memory_bytes"}),
    Panel("Processors", "short", {"{{pod}}": "rate(process_cpu_seconds_total[$__rate_interval])"}),
    Panel("Open files", "short", {"{{pod}}": "process_open_fds"}),
    Panel("Starts", "short", {"{{pod}}": "changes(process_start_time_seconds[1h])"}),
)
ALL = {
    "lyceum-calls": ("Lyceum: calls", CALLS),
    "lyceum-events": ("Lyceum: events", EVENTS),
    "lyceum-processes": ("Lyceum: processes", PROCESSES),
}


def config_maps() -> Iterator[Object]:
    """Each dashboard in a ConfigMap."""
    for name, (title, panels) in ALL.items():
        told = {"app.kubernetes.io/part-of": "lyceum", "grafana_dashboard": "1"}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(f"dashboard-{name}", told),
            "data": {f"{name}.json": json.dumps(dashboard(name, title, panels), indent=1)},
        }


def dashboard(name: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """One dashboard, its panels two in a row."""
    return {
        "uid": name,
        "title": title,
        "tags": ["lyceum"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": [_panel(place, one) for place, one in enumerate(panels)],
    }


def _panel(place: int, one: Panel) -> dict[str, Any]:
    row, column = divmod(place * WIDTH, COLUMNS)
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": one.title,
        "description": one.says,
        "datasource": SOURCE,
        "gridPos": {"x": column, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": one.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend, "datasource": SOURCE}
            for number, (legend, query) in enumerate(one.queries.items())
        ],
    }
