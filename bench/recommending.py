"""`python -m bench.recommending`: the recommender on MovieLens-100K, predict then learn, by `reco evaluate`.

The data may not be redistributed: it is read from a folder outside the project, and nothing of it is kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reco.evaluation.command import main as evaluate

RATINGS = "u.data"
COLUMNS = ("member", "content", "rating", "unix_time")
LEAST_EVENTS = 5
JOBS = "2"


def main(argv: Sequence[str]) -> int:
    """Evaluate, each part alone, too. 0 if it was done or the data is absent, which is said."""
    parser = argparse.ArgumentParser(prog="bench.recommending", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with u.data")
    parser.add_argument("--seeds", default="5")
    parser.add_argument("--variant", default="both")
    parser.add_argument("--outcomes", help="a folder for the rank of each scored event, to compare peers with")
    parser.add_argument("--card", help="a file for the model card")
    chosen = parser.parse_args(argv)
    if absent(chosen.data):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.csv"
        convert(chosen.data / RATINGS, events)
        kept = [f"--{name}={value}" for name in ("outcomes", "card") if (value := getattr(chosen, name))]
        protocol = ["--seeds", chosen.seeds, "--variant", chosen.variant, "--cold"]
        return evaluate(["--events", str(events), "--parts", "--jobs", JOBS, *protocol, *kept])


def absent(data: Path) -> bool:
    """Whether there is no MovieLens-100K in the folder, which is said."""
    if (data / RATINGS).is_file():
        return False
    sys.stderr.write(f"{data / RATINGS} is absent: set ML100K to a folder with MovieLens-100K; skipped\n")
    return True


def convert(ratings: Path, events: Path, first: int | None = None) -> int:
    """Ratings as events, of the earliest `first` ratings if that is given; returns how many events.

    Every rating counts as a positive, and items with fewer than 5 are left out, which looks into the future: the
    protocol of the marks that others publish for these data."""
    with ratings.open(newline="") as source:
        rows = list(csv.DictReader(source, COLUMNS, delimiter="\t"))
    if first is not None:
        rows = sorted(rows, key=lambda row: int(row["unix_time"]))[:first]
    counts = Counter(row["content"] for row in rows)
    kept = [row for row in rows if counts[row["content"]] >= LEAST_EVENTS]
    with events.open("w", newline="") as target:
        writer = csv.DictWriter(target, ("member", "content", "unix_time"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
    return len(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
