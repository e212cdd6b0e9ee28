"""Spark makes its executors by our settings and pattern, and trains on them.

Spark is real; a stand-in for the cluster's API starts what a node would start. Needs the environment for training,
which `make reco-train-trial` makes.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import yaml

from reco.training.factors import from_bytes

ROOT = Path(__file__).parents[3]
CLUSTER = ROOT / "deploy" / "k8s" / "reco-train" / "cluster"
PYTHON = ROOT / ".cache" / "reco-train" / "bin" / "python"
WITHIN_S = 400
CONTENTS = 24
Document = dict[str, Any]

EXPORT = f"""
import sys
from pathlib import Path
from reco.model.rows import Item
from reco.training.facts import Origin
from reco.training.parquet import ExportWriter
from reco.training.tables import PairFact

with ExportWriter(Path(sys.argv[1])) as export:
    export.begin(Origin("1:1:", ()))
    export.take_items([Item(f"c{{at}}") for at in range({CONTENTS})])
    steps = [(member, (member + step) % {CONTENTS}, step) for member in range(60) for step in range(6)]
    export.take_pairs([PairFact(member, item, 1.0, at, at) for member, item, at in sorted(steps)], [])
"""


class Node:
    """Keeps pods and runs each as a process of this machine."""

    def __init__(self, jars: str, folder: Path) -> None:
        self._jars, self._folder = jars, folder
        self.pods: dict[str, Document] = {}
        self.made: list[Document] = []
        self.asked: set[tuple[str, str]] = set()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pod: Document) -> Document:
        name = pod["metadata"]["name"]
        self.made.append(json.loads(json.dumps(pod)))
        born = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        pod["metadata"] |= {"uid": name, "resourceVersion": "1", "creationTimestamp": born}
        running = {"name": "executor", "state": {"running": {}}}
        pod["status"] = {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": [running]}
        (only,) = pod["spec"]["containers"]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*only["command"], *only["args"]], env=self._environment(name, only), stdout=log, stderr=log
            )
        self.pods[name] = pod
        return pod

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
            process.wait(timeout=60)
        self.pods.clear()

    def _environment(self, name: str, only: Document) -> dict[str, str]:
        fields = {"status.podIP": "127.0.0.1", "metadata.name": name}
        told = {
            one["name"]: one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            for one in only["env"]
        }
        local = {"PATH": os.environ["PATH"], "SPARK_JARS": self._jars, "SPARK_LOCAL_DIRS": str(self._folder)}
        return {**told, **local}


def api_of(node: Node) -> ThreadingHTTPServer:
    """What Spark asks of a cluster's API, and nothing else."""
    turn = threading.Lock()

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = urlsplit(self.path)
            with turn:
                status, document = self._found(asked.path.strip("/").split("/"), parse_qs(asked.query), body)
            sent = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def _found(self, path: list[str], query: dict[str, list[str]], body: bytes) -> tuple[int, Document]:
            node.asked.add((self.command, path[4] if len(path) > 4 else "/".join(path)))
            if path[:5] != ["api", "v1", "namespaces", "here", "pods"] or "watch" in query:
                return 403, {"kind": "Status", "status": "Failure", "code": 403}
            if self.command == "POST":
                return 201, node.start(json.loads(body))
            if self.command == "DELETE":
                node.stop()
                return 200, {"kind": "Status", "status": "Success"}
            if path[5:] == ["driver"]:
                ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
                said = {"name": "driver", "namespace": "here", "uid": "driver"}
                return 200, {"apiVersion": "v1", "kind": "Pod", "metadata": said, "status": ready}
            pods = {"metadata": {"resourceVersion": "1"}, "items": [*node.pods.values()]}
            return 200, {"apiVersion": "v1", "kind": "PodList", **pods}

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _answer  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Api)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Node, str]]:
    if not PYTHON.exists():
        pytest.skip("the environment for training is not there: make reco-train-trial makes it")
    where = "import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent / 'jars')"
    jars = subprocess.run([PYTHON, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    node = Node(jars, tmp_path)
    server = api_of(node)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield node, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
        node.stop()


def submit_arguments(folder: Path) -> str:
    """Those of the Job with what a node would put in, then what is other here: no cluster's files, less memory, and no
    watch, so that Spark asks again and again."""
    job = yaml.safe_load((CLUSTER / "job.yaml").read_text(encoding="utf-8"))
    (only,) = job["spec"]["template"]["spec"]["containers"]
    (told,) = [one["value"] for one in only["env"] if one["name"] == "PYSPARK_SUBMIT_ARGS"]
    known = {"EXECUTOR_IMAGE": only["image"], "POD_NAMESPACE": "here", "POD_NAME": "driver", "POD_IP": "127.0.0.1"}
    for name, value in known.items():
        told = told.replace(f"$({name})", value)
    (folder / "token").write_text("token", encoding="utf-8")
    other = {
        "spark.kubernetes.executor.podTemplateFile": CLUSTER / "executor.yaml",
        "spark.kubernetes.authenticate.oauthTokenFile": folder / "token",
        "spark.kubernetes.authenticate.caCertFile": "",
        "spark.kubernetes.executor.enableApiWatcher": "false",
        "spark.kubernetes.executor.apiPollingInterval": "1s",
        "spark.executor.memory": "512m",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.port": "0",
        "spark.driver.blockManager.port": "0",
        "spark.blockManager.port": "0",
    }
    here = " ".join(f"--conf {shlex.quote(f'{name}={value}')}" for name, value in other.items())
    return f"{told.removesuffix(' pyspark-shell')} {here} pyspark-shell"


def test_given_a_cluster_when_trained_then_two_executors_of_our_pattern_did_it_and_are_gone(
    cluster: tuple[Node, str], tmp_path: Path
) -> None:
    node, url = cluster
    subprocess.run([PYTHON, "-c", EXPORT, tmp_path / "export"], check=True, timeout=WITHIN_S)
    command = [str(PYTHON), "-m", "reco", "train", "--engine", "spark", "--spark-master", f"k8s://{url}"]
    more = ["--from", str(tmp_path / "export"), "--to", str(tmp_path / "factors"), "--spark-memory", "1g"]
    told = {**os.environ, "SPARK_CONF_DIR": str(CLUSTER), "PYSPARK_SUBMIT_ARGS": submit_arguments(tmp_path)}
    done = subprocess.run(
        [*command, *more, "--dimensions", "4", "--rounds", "2"],
        env=told,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.returncode == 0, done.stderr
    trained = from_bytes((tmp_path / "factors").read_bytes())
    assert sorted(trained.items.names) == sorted(f"c{at}" for at in range(CONTENTS))
    assert np.isfinite(trained.items.matrix).all()
    assert len(node.made) == 2 and not node.pods
    assert {what for _, what in node.asked} == {"pods"}, "the driver's rights are for pods alone"
    pattern = yaml.safe_load((CLUSTER / "executor.yaml").read_text(encoding="utf-8"))["spec"]
    for pod in node.made:
        assert_made_by(pattern, pod)


def assert_made_by(pattern: Document, pod: Document) -> None:
    """What Spark added took nothing of the pattern away, and is what a cluster would take."""
    spec = pod["spec"]
    (only,), (ours,) = spec["containers"], pattern["containers"]
    for name in ("automountServiceAccountToken", "enableServiceLinks", "securityContext", "volumes"):
        assert spec[name] == pattern[name]
    assert only["securityContext"] == ours["securityContext"] and only["volumeMounts"] == ours["volumeMounts"]
    assert only["image"].startswith("lyceum/reco-train:") and only["command"] == ours["command"]
    for kind in ("requests", "limits"):
        assert set(only["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Pod", "driver")
