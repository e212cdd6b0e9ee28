"""Starts every process from its image, looks at each, stops each, and wants a clean end (`make images-check`)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from lyceum_images import composing, engine
from lyceum_images.confined import CONFINED
from lyceum_images.errors import Unfit
from lyceum_images.standing import ComposeStack, require_compose
from lyceum_local.settings import Ports

NOT_OURS = ("postgres", "kafka", "database")
JOBS = ("-prepare", "database")
STOP_S = 60
READY_S = 5.0


@dataclass(frozen=True)
class Stopped:
    """One process that was healthy and then stopped: its memory before, how long the stop took, its status."""

    name: str
    memory: str
    stop_s: float
    status: int


def rehearse(version: str) -> Sequence[Stopped]:
    """Start, look, stop. Raises Unfit with every finding."""
    with fresh_stack(version) as stack:
        stack.up()
        names = [name for name in composing.document()["services"] if name not in NOT_OURS]
        found = {name: _container(stack, name) for name in names}
        findings = [one for name, told in found.items() for one in _looked_at(name, told)]
        findings += _gateway(stack)
        lasting = [name for name in reversed(names) if not name.endswith(JOBS)]
        memory = _memory(found)
        rows = [_stop(name, found[name]["Id"], memory) for name in lasting]
    findings += [f"{row.name} ended with {row.status} on SIGTERM" for row in rows if row.status]
    if findings:
        raise Unfit(findings)
    return rows


@contextmanager
def fresh_stack(version: str, *, opened: bool = False) -> Iterator[ComposeStack]:
    """A stack of its own on free ports, whose containers and volumes go with the block."""
    require_compose()
    with TemporaryDirectory(prefix="lyceum-containers-") as folder:
        stack = ComposeStack(Path(folder) / "secrets", version, f"lyceum-{os.getpid()}", Ports.free(), opened=opened)
        try:
            yield stack
        finally:
            stack.down(discard=True)


def _container(stack: ComposeStack, name: str) -> Mapping[str, Any]:
    found = stack.compose("ps", "--all", "--quiet", name).split()
    return engine.inspected(found[0], "container") or {} if found else {}


def _looked_at(name: str, told: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a container that must be healthy, or with a job that must have ended well."""
    if not told:
        yield f"{name} has no container"
        return
    state, host = told["State"], told["HostConfig"]
    if name.endswith(JOBS):
        if (state["Status"], state["ExitCode"]) != ("exited", 0):
            yield f"{name} is {state['Status']} with {state['ExitCode']}"
    elif state.get("Health", {}).get("Status") != "healthy":
        yield f"{name} is {state.get('Health', {}).get('Status', 'without a health check')}"
    confined = (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"])
    if confined != (True, CONFINED["cap_drop"], CONFINED["security_opt"]):
        yield f"{name} is not confined: read-only root, dropped capabilities and options are {confined}"
    if told["RestartCount"]:
        yield f"{name} was started again {told['RestartCount']} times"


def _gateway(stack: ComposeStack) -> list[str]:
    """What is wrong with the gateway's own answers."""
    wanted = {"/ready": 200, "/.well-known/jwks.json": 200, "/web/": 200, "/v1/contents": 200}
    with httpx.Client(base_url=stack.public_url, timeout=READY_S, follow_redirects=True) as client:
        answers = {path: client.get(path).status_code for path in wanted}
    return [f"GET {path} answers {answers[path]}" for path in wanted if answers[path] != wanted[path]]


def _memory(found: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    said = engine.run(["docker", "stats", "--no-stream", "--no-trunc", "--format", "{{json .}}"])
    by_id = {one["ID"]: one["MemUsage"].split(" /")[0] for one in map(json.loads, said.splitlines())}
    return {name: by_id.get(told.get("Id", ""), "") for name, told in found.items()}


def _stop(name: str, container: str, memory: Mapping[str, str]) -> Stopped:
    began = time.monotonic()
    engine.run(["docker", "stop", "--time", str(STOP_S), container])
    took = time.monotonic() - began
    state = (engine.inspected(container, "container") or {})["State"]
    return Stopped(name, memory[name], round(took, 1), state["ExitCode"])


def table(rows: Sequence[Stopped]) -> str:
    """The rows as a table in Markdown."""
    head = ["| process | memory | stopped within, s | status |", "| --- | ---: | ---: | ---: |"]
    return "\n".join([*head, *(f"| {r.name} | {r.memory} | {r.stop_s:.1f} | {r.status} |" for r in rows)])
