"""`python -m bench.recommending`: the recommender on MovieLens-100K, predict then learn, by `reco evaluate`.

The data may not be redistributed: it is read from a folder outside the project, and nothing of it is kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reco.evaluation.command import main as evaluate

RATINGS = "u.data"
COLUMNS = ("member", "content", "rating", "unix_time")
LEAST_EVENTS = "5"
JOBS = "2"


def main(argv: Sequence[str]) -> int:
    """Evaluate, each part alone, too. 0 if it was done or the data is absent, which is said."""
    parser = argparse.ArgumentParser(prog="bench.recommending", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with u.data")
    parser.add_argument("--seeds", default="5")
    parser.add_argument("--variant", default="both")
    chosen = parser.parse_args(argv)
    if not (chosen.data / RATINGS).is_file():
        sys.stderr.write(f"{chosen.data / RATINGS} is absent: set ML100K to a folder with MovieLens-100K; skipped\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.csv"
        _convert(chosen.data / RATINGS, events)
        # Every rating counts as a positive, and items with fewer than 5 are left out: the protocol of the marks that
        # others publish for these data.
        protocol = ["--min-item-events", LEAST_EVENTS, "--seeds", chosen.seeds, "--variant", chosen.variant]
        return evaluate(["--events", str(events), "--parts", "--jobs", JOBS, *protocol])


def _convert(ratings: Path, events: Path) -> None:
    with ratings.open(newline="") as source, events.open("w", newline="") as target:
        writer = csv.DictWriter(target, ("member", "content", "unix_time"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(csv.DictReader(source, COLUMNS, delimiter="\t"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
