"""`python -m metrics fit`: fit a model of retention or of buying to figures in a file."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from metrics.fitting import buying, survival

MAX_ROWS: Final = 10_000_000
SURVIVORS: Final = ("period", "survivors")
SUMMARY: Final = ("frequency", "recency", "T")


class WrongFile(ValueError):
    """A file that cannot be read as what it should be. The message names file, row and column."""


def main(argv: Sequence[str]) -> int:
    """Fit and print; 0, or 1 with one sentence on stderr if a file or a choice is wrong."""
    chosen = _parser().parse_args(argv)
    try:
        found = _bought(chosen) if chosen.model == "bgnbd" else _survived(chosen)
    except (WrongFile, survival.NotASurvival, buying.NotAHistory) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write((json.dumps(found, indent=2) if chosen.json else as_text(found)) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="metrics fit", description=__doc__)
    parser.add_argument(
        "--model",
        required=True,
        choices=[*survival.MODELS, "bgnbd"],
        help="pt: p^t; sbg, bdw: (shifted) beta-geometric and beta-discrete-Weibull; bgnbd: one-off buyers",
    )
    parser.add_argument("--survivors", type=Path, help="CSV: period (0, 1, 2, …), survivors; for pt, sbg and bdw")
    parser.add_argument("--fit-periods", type=int, help="fit on the periods up to this one, judge on the rest")
    parser.add_argument("--summary", type=Path, help="CSV: frequency, recency, T, one row a buyer; for bgnbd")
    parser.add_argument("--ahead", type=float, default=0.0, help="for bgnbd: expect purchases in so much more time")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser


def _survived(chosen: argparse.Namespace) -> dict[str, Any]:
    if chosen.survivors is None:
        raise WrongFile(f"--model {chosen.model} needs --survivors FILE.csv")
    survivors = read_survivors(chosen.survivors)
    survival.check(survivors)
    periods = len(survivors) - 1 if chosen.fit_periods is None else chosen.fit_periods
    if not 1 <= periods < len(survivors):
        raise WrongFile(f"--fit-periods: {periods}; must be 1 to {len(survivors) - 1}, the last period of the file")
    fitted = survival.MODELS[chosen.model](survivors[: periods + 1])
    shares = [fitted.share(period) for period in range(len(survivors))]
    return {
        "model": fitted.model,
        "parameters": dict(fitted.parameters),
        "log_likelihood": fitted.log_likelihood,
        "fit_periods": periods,
        "projection": [
            {"period": period, "survivors": count, "share": count / survivors[0], "projected_share": share}
            for period, (count, share) in enumerate(zip(survivors, shares, strict=True))
        ],
        "held_out_error_percent": survival.held_out_error(fitted, survivors, periods),
    }


def _bought(chosen: argparse.Namespace) -> dict[str, Any]:
    if chosen.summary is None:
        raise WrongFile("--model bgnbd needs --summary FILE.csv")
    if not (math.isfinite(chosen.ahead) and chosen.ahead >= 0):
        raise WrongFile(f"--ahead: {chosen.ahead}; must be 0 or more")
    rows = _rows(chosen.summary, SUMMARY)
    columns = (np.array([row[name] for row in rows], dtype=np.float64) for name in SUMMARY)
    histories = buying.Histories(*columns)
    fitted = buying.fit_bgnbd(histories)
    found: dict[str, Any] = {
        "model": "bgnbd",
        "parameters": {"r": fitted.r, "alpha": fitted.alpha, "a": fitted.a, "b": fitted.b},
        "log_likelihood": fitted.log_likelihood,
        "buyers": len(rows),
    }
    if chosen.ahead:
        found["expected_purchases"] = float(fitted.expected(histories, chosen.ahead).sum())
    return found


def read_survivors(path: Path) -> list[float]:
    """Survivors by period. Raises `WrongFile` unless the periods are 0, 1, 2, … in order."""
    rows = _rows(path, SURVIVORS)
    for at, row in enumerate(rows):
        if row["period"] != at:
            raise WrongFile(f"{path}, row {at + 1}, column period: {row['period']:g} where {at} is expected")
    return [row["survivors"] for row in rows]


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as source:
            reader = csv.DictReader(source)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise WrongFile(f"{path}: the column {missing[0]} is missing; needed are {', '.join(columns)}")
            rows = [_row(path, at, row, columns) for at, row in zip(range(1, MAX_ROWS + 2), reader, strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise WrongFile(f"{path} cannot be read: {failure}") from failure
    if not 0 < len(rows) <= MAX_ROWS:
        raise WrongFile(f"{path}: {'no rows' if not rows else f'more than {MAX_ROWS:,} rows'}")
    return rows


def _row(path: Path, at: int, row: Mapping[str, str | None], columns: Sequence[str]) -> dict[str, float]:
    found = {}
    for name in columns:
        try:
            found[name] = float(row[name] or "")
        except ValueError:
            raise WrongFile(f"{path}, row {at}, column {name}: {row[name]!r} is not a number") from None
    return found


def as_text(found: Mapping[str, Any]) -> str:
    """The findings as lines, and the projection as a table."""
    parameters = ", ".join(f"{name} {value:.6g}" for name, value in found["parameters"].items())
    lines = [f"{found['model']}: {parameters}; log-likelihood {found['log_likelihood']:.4f}"]
    if "buyers" in found:
        lines += [f"{found['buyers']:,} buyers"]
    if "expected_purchases" in found:
        lines += [f"{found['expected_purchases']:,.1f} purchases expected"]
    if "projection" in found:
        lines += [f"{'period':>7} {'survivors':>12} {'share':>8} {'projected':>10}"]
        lines += [
            f"{one['period']:>7} {one['survivors']:>12,g} {one['share']:>8.2%} {one['projected_share']:>10.2%}"
            f"{'' if one['period'] <= found['fit_periods'] else '  held out'}"
            for one in found["projection"]
        ]
        error = found["held_out_error_percent"]
        lines += [f"held-out mean absolute percentage error: {error:.2f}" if error is not None else "nothing held out"]
    return "\n".join(lines)
