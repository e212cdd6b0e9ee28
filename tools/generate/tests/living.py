"""Run in a copy of the tree, with the name of a new service and a folder: starts it as `make up` does, with what it
needs, and has its command and its query answered through the gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from lyceum_generate.service_names import Words
from lyceum_local.settings import Ports, StackSettings
from lyceum_local.stack import LocalStack

PASSWORD = "password123"
DOCTOR_S = 60.0


def start(stack: LocalStack, name: str) -> None:
    """The gateway asks identity for keys; nothing else is needed."""
    stack.start_backing()
    stack.prepare(["identity", name])
    stack.start_servers(["identity", name])
    stack.start_workers([name])
    stack.start_gateway()


def use(url: str, words: Words) -> None:
    """Log in, add, and read what was added once the projection has it."""
    with httpx.Client(base_url=url, timeout=40) as client:
        client.post("/register", json={"username": "member1", "password": PASSWORD}).raise_for_status()
        session = client.post("/v1/sessions", json={"username": "member1", "password": PASSWORD}).json()
        client.headers["authorization"] = f"Bearer {session['access_token']}"
        added = client.post(f"/v1/{words.name}", json={"title": "T"}).raise_for_status()
        made, after = added.json()[f"{words.thing}_id"], {"x-lyceum-after": added.headers["x-lyceum-token"]}
        found = client.get(f"/v1/{words.name}/{made}", headers=after).raise_for_status()
    assert found.headers["x-lyceum-stale"] == "false"
    assert (found.json()["title"], found.json()["member_id"]) == ("T", session["member_id"])


def examine(stack: LocalStack, name: str) -> None:
    """Whether the doctor finds tables, topics and folds as they are declared."""
    command = [sys.executable, "-m", "eventfold_ops", "--app", f"{name}.bootstrap:deployment", "doctor"]
    subprocess.run(command, env=os.environ | stack.environment(name), check=True, timeout=DOCTOR_S)


def main(name: str, folder: str) -> None:
    """Whatever happens, nothing is left running."""
    stack = LocalStack(Path(folder), Ports.free(), "new.", StackSettings(docker=False), print)
    try:
        start(stack, name)
        use(stack.around.public_url, Words(name))
        examine(stack, name)
    finally:
        stack.down()


if __name__ == "__main__":
    main(*sys.argv[1:])
