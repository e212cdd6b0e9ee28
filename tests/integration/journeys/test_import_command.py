"""`lyceum import csv` through the gateway: counted once, bad rows set aside, done when it is visible."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from community import PASSWORD, Community

FILES = {
    "members": "external_id,username,role,registered_at\n"
    "1,{set}-ann,creator,1996-01-01T00:00:00Z\n"
    "2,{set}-bob,consumer,1996-01-02T00:00:00Z\n"
    "3,no,consumer,1996-01-03T00:00:00Z\n",
    "contents": "external_id,creator_external_id,title,kind,access,published_at,tags\n"
    "c1,1,茶道入门,video,paid,1996-01-05T00:00:00Z,tea|course\n"
    "c2,1,late,video,paid,1996-09-05T00:00:00Z,\n",
    "interactions": "member_external_id,content_external_id,kind,occurred_at,rating\n"
    "2,c1,view,1996-02-01T00:00:00Z,\n"
    "2,c1,view,1996-02-01T00:00:00Z,\n"
    "2,c1,rate,1996-02-02T00:00:00Z,5\n"
    "2,nowhere,view,1996-02-03T00:00:00Z,\n"
    "2,c2,view,1996-02-04T00:00:00Z,\n",  # before it was published
    "orders": "external_id,member_external_id,content_external_id,list_minor,charged_minor,currency,ordered_at\n"
    "o1,2,c1,12.90,12.90,CNY,1996-02-03T00:00:00Z\n"
    "o2,2,c2,5,5,CNY,1996-02-04T00:00:00Z\n",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    dataset = f"cli{uuid.uuid4().hex[:8]}"
    paths = {kind: tmp_path / f"{kind}.csv" for kind in FILES}
    for kind, text in FILES.items():
        paths[kind].write_text(text.replace("{set}", dataset), encoding="utf-8")
    return {**paths, "folder": tmp_path, "dataset": Path(dataset)}


def run(community: Community, files: dict[str, Path]) -> tuple[int, dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "lyceum_cli",
        "import",
        "csv",
        "--gateway",
        community.url,
        "--username",
        community.importer_name,
        "--password-stdin",
        "--dataset",
        str(files["dataset"]),
        "--json",
        "--amounts",
        "major",
        "--rejects",
        str(files["folder"] / "rejects"),
        "--state",
        str(files["folder"] / "state.json"),
        *(part for kind in FILES for part in (f"--{kind}", str(files[kind]))),
    ]
    done = subprocess.run(command, input=PASSWORD + "\n", text=True, capture_output=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_community_moves_over_and_moving_again_changes_nothing(community: Community, files: dict[str, Path]) -> None:
    status, first = run(community, files)
    assert status == 2, "some rows were rejected"
    assert _counts(first) == {
        "members": (2, 0, 1),
        "contents": (2, 0, 0),
        "interactions": (4, 0, 1),
        "orders": (2, 0, 0),
    }
    rejects = "".join(path.read_text(encoding="utf-8") for path in (files["folder"] / "rejects").iterdir())
    assert "username" in rejects and "nowhere" in rejects

    listed = community.importer().get("/v1/contents", tag="tea", page_size=200)["contents"]
    assert [one["counters"]["views"] for one in listed if one["title"] == "茶道入门"] == ["2"]

    status, second = run(community, files)
    assert status == 2
    assert _counts(second) == {
        "members": (0, 2, 1),
        "contents": (0, 2, 0),
        "interactions": (0, 4, 1),
        "orders": (0, 2, 0),
    }


def _counts(summary: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    return {
        kind: (found["created"], found["duplicate"], found["rejected"])
        for kind, found in summary["kinds"].items()
        if kind in FILES
    }
