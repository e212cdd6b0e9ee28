"""Services under the stack: a stand-in package called `identity` shows order, readiness and refusals."""

import sys
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from lyceum_local import health, report
from lyceum_local.errors import HistoryRewound, NotReady, NotUp, PrepareFailed
from lyceum_local.ports import free_block
from lyceum_local.program import Program
from lyceum_local.settings import FURTHER, Ports
from lyceum_local.stack import LocalStack, _at_once, _raise
from lyceum_local.waiting import poll
from servicekit import probe

WAIT_S = 30.0
STAND_IN = """
import os, signal, sys, grpc
from threading import Timer
from concurrent.futures import ThreadPoolExecutor
from grpc_health.v1 import health, health_pb2_grpc
from prometheus_client import Gauge, start_http_server

ready = Gauge("eventfold_fold_ready", "As a fold worker says it.", ["group"])

def prepare(): print("prepared for", os.environ["TOPIC_PREFIX"])
def learn():
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
    signal.pause()
def fail(): sys.exit("no such table")
def work(reads=1):
    ready.labels("identity").set(reads)
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
    signal.pause()
def never_reads(): work(reads=0)
def went_back():
    rewound = Gauge("eventfold_relay_rewound", "As a relay says it.", ["relay"])
    rewound.labels("identity").set(1)
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
    serve(status=2)
def went_back_late():
    leading = Gauge("eventfold_relay_leading_epoch", "As a relay says it.", ["relay"])
    leading.labels("identity").set(0)
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
    def look():
        rewound = Gauge("eventfold_relay_rewound", "As a relay says it.", ["relay"])
        rewound.labels("identity").set(1)
    Timer(1.0, look).start()
    serve()
def never_looks():
    Gauge("eventfold_relay_leading_epoch", "As a relay says it.", ["relay"]).labels("identity").set(0)
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
    serve()
def serve(status=1):
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", status)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(os.environ["GRPC_HOST"] + ":" + os.environ["GRPC_PORT"])
    server.start()
    server.wait_for_termination()
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **roles: str) -> None:
    """Makes `python -m identity ROLE` call a function of STAND_IN, for the stack's own children too."""
    package = folder / "identity"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(f"{STAND_IN}\nglobals()[{roles!r}.get(sys.argv[1], sys.argv[1])]()\n")
    shim = folder / "python"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setattr("lyceum_local.stack.sys.executable", str(shim))


def not_running(stack: LocalStack, *names: str) -> None:
    """Stops those of the processes that a test before this one left running: tests may come in any order."""
    stack.supervisor.stop([name for name in names if name in stack.states()])


def with_learner(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the stack's `identity` the further role `learn`, with a free port."""
    fields: Any = {"identity_learn_metrics": (int, free_block(1))}
    ports = create_model("PortsWithLearner", __base__=Ports, **fields)
    monkeypatch.setattr(stack, "ports", ports(**stack.ports.model_dump()))
    monkeypatch.setattr("lyceum_local.stack.FURTHER", {**FURTHER, "identity": ("learn",)})


@pytest.fixture
def identity(tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> LocalStack:
    stand_in(tmp_path, monkeypatch)
    return stack


def test_given_a_service_when_it_is_brought_up_then_it_is_prepared_serves_and_works(identity: LocalStack) -> None:
    identity.prepare(["identity"])
    identity.start_servers(["identity"])
    identity.start_workers(["identity"])

    assert "prepared for t1." in (identity.supervisor.logs / "identity-prepare.log").read_text()
    assert probe.grpc_complaint("127.0.0.1", identity.ports.of("identity")) is None
    state = identity.states
    assert poll(lambda: None if state()["identity-work"].state == "RUNNING" else "starting", WAIT_S) is None


def test_given_a_running_service_when_it_is_killed_then_it_serves_again(identity: LocalStack) -> None:
    identity.start_servers(["identity"])
    old = identity.pid("identity-serve")
    identity.kill("identity-serve")
    assert poll(lambda: None if identity.pid("identity-serve") not in (0, old) else "not back", WAIT_S) is None
    assert poll(lambda: probe.grpc_complaint("127.0.0.1", identity.ports.of("identity")), WAIT_S) is None


def test_given_a_service_that_cannot_prepare_when_it_is_prepared_then_the_end_of_its_log_is_shown(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, prepare="fail")
    with pytest.raises(PrepareFailed, match=r"(?s)identity could not prepare.*no such table"):
        stack.prepare(["identity"])


def test_given_a_server_that_ends_when_it_is_started_then_it_is_not_ready_and_its_log_is_shown(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.stack.SERVE_WAIT_S", 1.0)
    stand_in(tmp_path, monkeypatch, serve="fail")
    not_running(stack, "identity-serve")
    with pytest.raises(NotReady, match=r"(?s)identity-serve was not ready after 1 s.*no such table"):
        stack.start_servers(["identity"])
    stack.stop("identity-serve")


def test_given_a_server_whose_store_went_back_when_it_is_started_then_it_is_named_without_waiting_for_it(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.stack.SERVE_WAIT_S", 3600.0)
    stand_in(tmp_path, monkeypatch, serve="went_back")
    not_running(stack, "identity-serve")
    with pytest.raises(HistoryRewound, match="SERVICE=identity"):
        stack.start_servers(["identity"])
    stack.stop("identity-serve")


def test_given_a_relay_that_looks_after_its_server_serves_when_it_finds_its_store_behind_then_it_is_named(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, serve="went_back_late")
    not_running(stack, "identity-serve")
    stack.start_servers(["identity"])
    with pytest.raises(HistoryRewound, match="SERVICE=identity"):
        stack.await_relay("identity")
    stack.stop("identity-serve")


def test_given_a_relay_that_never_looks_when_it_is_waited_for_then_that_is_told(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.stack.COMPARE_WAIT_S", 0.5)
    stand_in(tmp_path, monkeypatch, serve="never_looks")
    not_running(stack, "identity-serve")
    stack.start_servers(["identity"])
    with pytest.raises(NotReady, match="has not compared its store with its topics yet"):
        stack.await_relay("identity")
    stack.stop("identity-serve")


def test_given_a_worker_that_joins_no_group_when_it_is_started_then_it_is_not_ready(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.stack.WORK_WAIT_S", 3.0)
    stand_in(tmp_path, monkeypatch, work="never_reads")
    not_running(stack, "identity-work")
    with pytest.raises(NotReady, match=r"identity-work was not ready after 3 s \(the worker reads no events"):
        stack.start_workers(["identity"])
    stack.stop("identity-work")


def test_given_a_service_with_a_further_role_when_it_is_started_then_it_is_waited_for_and_asked_for_its_metrics(
    identity: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_learner(identity, monkeypatch)
    identity.start_further(["identity", "catalog"])

    metrics = identity.ports.of("identity_learn_metrics")
    assert probe.metrics_complaint("127.0.0.1", metrics) is None
    assert identity.pid("identity-learn") and "catalog-learn" not in identity.states()
    assert "identity-learn" in report.as_table(report.rows(identity))
    identity.start_further(["identity"])
    identity.stop("identity-learn")
    assert identity.states()["identity-learn"].state == "STOPPED"


def test_given_a_further_role_that_ends_when_it_is_started_then_it_is_not_ready(
    tmp_path: Path, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.stack.WORK_WAIT_S", 1.0)
    stand_in(tmp_path, monkeypatch, learn="fail")
    with_learner(stack, monkeypatch)
    with pytest.raises(NotReady, match=r"identity-learn was not ready after \d+ s"):
        stack.start_further(["identity"])
    stack.stop("identity-learn")


def test_given_a_service_with_a_further_role_when_all_is_brought_up_then_it_is_started_after_the_worker(
    identity: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_learner(identity, monkeypatch)
    monkeypatch.setattr("lyceum_local.stack.find_spec", lambda name: name == "identity")
    monkeypatch.setattr(identity, "start_gateway", lambda: None)
    monkeypatch.setattr(identity, "start_web", lambda: None)
    monkeypatch.setattr(identity, "await_relay", lambda name: None)
    started: list[str] = []
    launch = identity._launch

    def launched(program: Program, port_names: Sequence[str]) -> None:
        started.append(program.name)
        launch(program, port_names)

    monkeypatch.setattr(identity, "_launch", launched)
    not_running(identity, "identity-serve", "identity-work")
    identity.up()

    assert [name for name in dict.fromkeys(started) if name not in ("postgres", "kafka")] == [
        "identity-serve",
        "identity-work",
        "identity-learn",
    ]
    assert all(identity.pid(name) for name in ("identity-serve", "identity-work", "identity-learn"))
    identity.stop("identity-learn")


def test_given_parts_that_are_not_well_when_all_are_waited_for_then_each_is_waited_for_and_named() -> None:
    waited: list[str] = []

    def late(name: str) -> None:
        waited.append(name)
        raise NotReady(name, 1.0, "halted", None, "")

    parts = [partial(late, "reco-work"), partial(late, "billing-work"), partial(waited.append, "gateway")]
    failures = _at_once(parts)
    assert set(waited) == {"reco-work", "billing-work", "gateway"}
    with pytest.raises(NotUp, match=r"(?s)2 parts are not well.*reco-work.*billing-work"):
        _raise(failures)
    with pytest.raises(NotReady, match="reco-work"):
        _raise(_at_once([partial(late, "reco-work"), partial(waited.append, "gateway")]))


@pytest.mark.parametrize(("value", "is_"), [("1.0", True), ("0.0", False)])
def test_given_a_page_of_metrics_when_a_store_went_back_then_it_is_known(
    value: str, is_: bool, tmp_path: Path, stack: LocalStack
) -> None:
    gauge = f'eventfold_relay_rewound{{relay="billing-relay"}} {value}\n'
    (tmp_path / "metrics").write_text("# HELP eventfold_relay_lag_seconds 5\n" + gauge)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert health.rewound("127.0.0.1", server.server_port) is is_
        server.shutdown()
    assert health.rewound("127.0.0.1", server.server_port) is False
