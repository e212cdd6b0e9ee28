"""`python -m reco verify`: whether what servers hold after many updates equals a refit of the same rows.

Reads the service's settings and tables and changes nothing. Status 0: equal; 1: not; 2: nothing could be compared. Run
it every night: it takes minutes, and about 5 GB at 10,000 contents.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from reco.model.settings import Settings
from reco.settings import RecoSettings
from reco.training.progress import Progress
from reco.verification.check import Finding, Verified, verify
from reco.verification.stored import VerificationRefused, rows_of, settings_read

EQUAL, DIFFERENT, REFUSED = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Verify, and print a table or JSON; the exit status."""
    chosen = _parser().parse_args(argv)
    try:
        settings = settings_read()
        pairs = rows_of(settings)
    except VerificationRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return REFUSED
    seed = np.random.default_rng(chosen.seed)
    found = verify(pairs, bounds_of(settings), seed, lambda what, total: Progress(what, total).add)
    sys.stdout.write((as_json(found, chosen.seed) if chosen.json else as_text(found)) + "\n")
    return EQUAL if found.equal else DIFFERENT


def bounds_of(settings: RecoSettings) -> Settings:
    """The bounds with which the servers' models run."""
    return Settings(
        max_items=settings.reco_max_items,
        max_history=settings.reco_max_history_items,
        max_dense_items=settings.reco_max_dense_items,
    )


def as_json(found: Verified, seed: int) -> str:
    """What was found as one JSON document."""
    findings = [{**one._asdict(), "equal": one.equal} for one in found.findings]
    return json.dumps({**found._asdict(), "seed": seed, "equal": found.equal, "findings": findings})


def as_text(found: Verified) -> str:
    """What was found as a table."""
    head = f"{found.pairs:,} pairs of {found.members:,} members and {found.items:,} contents"
    beyond = f"; {found.left_out:,} rows beyond the bounds were left out" if found.left_out else ""
    columns = f"{'':12} {'numbers':>15} {'largest diff.':>15} {'allowed':>10}"
    return "\n".join([head + beyond, columns, *map(_line, found.findings)])


def _line(one: Finding) -> str:
    verdict = "equal" if one.equal else "DIFFERENT"
    said = f"{verdict}: {one.said}" if one.said else verdict
    return f"{one.what:12} {one.compared:>15,} {one.largest:>15.3g} {one.allowed:>10.3g}  {said}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reco verify", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="where chance begins; the same repeats a run")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser
