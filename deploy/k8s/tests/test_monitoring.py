"""Alerts and dashboards ask for metrics that exist, with labels that they have; every alert has its runbook."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from k8s_tests.rendered import named, of_kind
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import eventfold
import servicekit
from lyceum_tree import services

ROOT = Path(__file__).parents[3]
FUNCTIONS = {
    "sum",
    "max",
    "min",
    "time",
    "by",
    "rate",
    "increase",
    "deriv",
    "changes",
    "histogram_quantile",
    "and",
    "or",
}
OF_PROMETHEUS = {"pod", "namespace", "job", "le", "service", "window"}
"""Labels that collecting adds, that histograms have, and that rules of ours set."""


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """Every metric that a process of ours can show, with its labels; as if every module were loaded."""
    for package in (eventfold, servicekit, *(importlib.import_module(name) for name in services())):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"\.(migrations|migration_env|training|evaluation|testing|__main__)\b", info.name):
                importlib.import_module(info.name)
    found: dict[str, set[str]] = {}
    for collector, names in list(REGISTRY._collector_to_names.items()):
        labels = set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()
        found |= dict.fromkeys(names, labels)
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every expression by what asks it."""
    (rules,) = of_kind("prod", "PrometheusRule")
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert", rule.get("record")), rule["expr"]
    for name, one in named("prod", "ConfigMap").items():
        if name.startswith("dashboard-"):
            for text in one["data"].values():
                for panel in json.loads(text)["panels"]:
                    yield from ((f"{name}: {panel['title']}", target["expr"]) for target in panel["targets"])


def asked(query: str) -> set[str]:
    """The names of metrics in an expression."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", bare)
    return set(re.findall(r"[a-z_][a-z_:0-9]*[a-z0-9]", bare)) - FUNCTIONS


def test_every_metric_that_is_asked_for_exists(metrics: dict[str, set[str]]) -> None:
    (rules,) = of_kind("prod", "PrometheusRule")
    recorded = {rule["record"] for group in rules["spec"]["groups"] for rule in group["rules"] if "record" in rule}
    every = list(queries())
    assert len(every) > 60
    for who, query in every:
        assert asked(query), who
        assert asked(query) <= set(metrics) | recorded, who


def test_labels_are_those_of_the_metrics(metrics: dict[str, set[str]]) -> None:
    for who, query in queries():
        has = {label for name in asked(query) for label in metrics.get(name, ())} | OF_PROMETHEUS
        grouped = {label.strip() for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(",")}
        matched = set(re.findall(r"([a-z_]+)(?:=~|!=|!~|=)\"", query))
        assert grouped | matched <= has, who


def test_a_metric_that_does_not_exist_would_be_seen(metrics: dict[str, set[str]]) -> None:
    assert asked('sum by (relay) (rate(eventfold_relay_snt_total{relay="x"}[5m])) > 5') == {"eventfold_relay_snt_total"}
    assert "eventfold_relay_snt_total" not in metrics


def test_every_alert_has_a_runbook_that_is_there_and_names_it() -> None:
    (rules,) = of_kind("prod", "PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    overview = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
    for rule in alerts:
        runbook = ROOT / rule["annotations"]["runbook"]
        assert runbook.is_file(), rule["alert"]
        assert rule["alert"] in overview, "the overview leads from each alert to its runbook"
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"].endswith(".")


def test_what_is_promised_is_written_down_as_it_is_watched() -> None:
    from lyceum_k8s.alerts import objective

    page = (ROOT / "docs/runbooks/slo.md").read_text(encoding="utf-8")
    for name in services():
        one = objective(name)
        wanted = (
            f"| {name} | {one.available:.2%} | {one.fast:.0%} within {one.within_s * 1000:g} ms | {one.visible_s} s |"
        )
        assert wanted in page, wanted


def test_bounds_of_promises_are_bounds_of_the_histogram(metrics: dict[str, set[str]]) -> None:
    from lyceum_k8s.alerts import objective
    from servicekit.edge import CALL_SECONDS

    for name in services():
        assert objective(name).within_s in CALL_SECONDS._upper_bounds


def test_a_pods_metrics_are_collected_where_they_are_shown() -> None:
    monitors = named("prod", "PodMonitor")
    chosen = {
        value
        for one in monitors.values()
        for value in one["spec"]["selector"].get("matchExpressions", [{}])[0].get("values", ())
    }
    shown = {
        one["metadata"]["labels"]["lyceum.io/role"]
        for one in of_kind("prod", "Deployment", "StatefulSet")
        if any(port["name"] == "metrics" for port in one["spec"]["template"]["spec"]["containers"][0].get("ports", ()))
    }
    assert shown == chosen | {"gateway"}
