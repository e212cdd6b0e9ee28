"""The input files, extracted from packages that are fetched once by name and hash."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lyceum_demo.errors import InputDamaged, InputNotFetched

REQUIREMENTS: Final = Path(__file__).with_name("inputs.txt")
FETCH_TIMEOUT_S: Final = 300.0
RATINGS_NOTE: Final = (
    "Ratings: MovieLens 100K by GroupLens, University of Minnesota, as shipped in recbole 1.2.1. For research use; it "
    "may not be redistributed without permission, nor used commercially; nothing here is endorsed by the university or "
    "GroupLens. Please cite Harper and Konstan (2015), The MovieLens Datasets, ACM TiiS 5(4):19."
)
PURCHASES_NOTE: Final = (
    "Purchases: the CDNOW data set of Fader and Hardie (2001), as shipped in lifetimes 0.11.3: purchases of 23,570 "
    "customers from January 1997 to June 1998; the sample is one customer in ten."
)
_PURCHASES: Final = "lifetimes/datasets/CDNOW_{}.txt"
_RATINGS: Final = "recbole/dataset_example/ml-100k/ml-100k.{}"


@dataclass(frozen=True, slots=True)
class Pin:
    """A package's exact version and the hash of its wheel."""

    package: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """The paths of the input files."""

    purchases: Path
    ratings: Path
    items: Path


def pins(text: str) -> list[Pin]:
    """The pins of a requirements file."""
    lines = [line.split(" --hash=sha256:") for line in text.splitlines() if line and not line.startswith("#")]
    return [Pin(package, sha256) for package, sha256 in lines]


def fetch(cache_dir: Path, *, full: bool) -> Inputs:
    """The input files below `cache_dir`, downloaded only if they are missing.

    Raises `InputNotFetched` or `InputDamaged`. Blocks for some seconds the first time.
    """
    folder = cache_dir / "inputs"
    wanted = pins(REQUIREMENTS.read_text(encoding="utf-8"))
    if any(_wheel(folder, pin) is None for pin in wanted):
        _download(folder)
    purchases, ratings = (_required(folder, pin) for pin in wanted)
    return Inputs(
        _extracted(purchases, _PURCHASES.format("master" if full else "sample")),
        _extracted(ratings, _RATINGS.format("inter")),
        _extracted(ratings, _RATINGS.format("item")),
    )


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command: Sequence[str] = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--requirement",
        str(REQUIREMENTS),
        "--dest",
        str(folder),
    )
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
    except subprocess.CalledProcessError as failed:
        raise InputNotFetched(failed.stderr.strip()) from failed
    except subprocess.TimeoutExpired as failed:
        raise InputNotFetched(f"no end after {FETCH_TIMEOUT_S:.0f} s") from failed


def _wheel(folder: Path, pin: Pin) -> Path | None:
    found = (
        path for path in sorted(folder.glob("*.whl")) if hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256
    )
    return next(found, None)


def _required(folder: Path, pin: Pin) -> Path:
    wheel = _wheel(folder, pin)
    if wheel is None:
        raise InputDamaged(pin.package, folder)
    return wheel


def _extracted(wheel: Path, member: str) -> Path:
    """The file beside its wheel. It is written again each time, because only the wheel is verified."""
    target = wheel.parent / Path(member).name
    with zipfile.ZipFile(wheel) as archive:
        target.write_bytes(archive.read(member))
    return target
