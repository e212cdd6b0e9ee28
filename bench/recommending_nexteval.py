"""`python -m bench.recommending_nexteval`: RecNextEval judges the service's model and its own, by its own protocol.

It needs Python 3.13 or newer and an environment of its own; our model answers it through a pipe from this one. Skipped
with a sentence where there is no such Python.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.environments import ROOT, around, made, newest_python
from bench.peers.recommending_nexteval import OURS
from bench.recommending import RATINGS, absent

REQUIREMENTS = ROOT / "bench" / "peers" / "recommending_nexteval.txt"
PYTHONS = ("3.14", "3.13")
THEIRS = ("MostPopular", "RecentPopularity", "DecayPopularity", "Random", "ItemKNN", "ItemKNNIncremental")
TIMEOUT_S = 7_200


def main(argv: Sequence[str]) -> int:
    """Judge and print. 0 if it was done, or something that it needs is absent, which is said."""
    parser = argparse.ArgumentParser(prog="bench.recommending_nexteval", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with u.data")
    parser.add_argument("--without-ours", action="store_true", help="its own algorithms only, a minute")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(argv)
    if absent(chosen.data):
        return 0
    newer = newest_python(PYTHONS)
    if newer is None:
        print(f"RecNextEval needs Python {' or '.join(PYTHONS)}, and none was found; skipped", file=sys.stderr)
        return 0
    python = made("bench-nexteval", REQUIREMENTS, newer)
    with tempfile.TemporaryDirectory() as root:
        place = Path(root) / "data" / "movielens"
        place.mkdir(parents=True)
        shutil.copy(chosen.data / RATINGS, place / f"ml-100k_{RATINGS}")
        found = {f"{name}, {how}": _one(python, root, name, how) for name in THEIRS for how in ("as it is", "ranks")}
        if not chosen.without_ours:
            found[OURS] = _one(python, root, OURS, "as it is")
    print(json.dumps(found, indent=2) if chosen.json else as_text(found))
    return 0


def _one(python: str, root: str, name: str, how: str) -> dict[str, Any]:
    """The marks of one algorithm, or why there are none. In a process of its own: some of them crash."""
    choices = ["--root", root, "--scorer", sys.executable, *(["--ranks"] if how == "ranks" else [])]
    command = [python, "-m", "bench.peers.recommending_nexteval", name, *choices]
    print(f"bench: RecNextEval, {name}, {how}", file=sys.stderr, flush=True)
    errors = None if name == OURS else subprocess.PIPE
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=errors, text=True, env=around(), timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        return {"failed": (done.stderr or "").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def as_text(found: dict[str, dict[str, Any]]) -> str:
    """A line for each algorithm."""
    lines = [f"{'':32}{'micro NDCG@10':>14}{'recall@10':>11}{'macro NDCG@10':>15}"]
    for title, one in found.items():
        if "failed" in one:
            lines.append(f"{title:32}failed: {one['failed'][0][:80]}")
        for name, micro in one.get("micro", {}).items():
            shown = name if name.startswith(OURS) else title
            macro = one["macro"][name]["ndcgk_10"]
            lines.append(f"{shown:32}{micro['ndcgk_10']:>14.4f}{micro['recallk_10']:>11.4f}{macro:>15.4f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
