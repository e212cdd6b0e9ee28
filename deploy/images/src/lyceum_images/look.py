"""Runs inside an image, on its Python and nothing else: prints what is installed there as JSON. Not imported."""

import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

_LICENCE = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)
_CLASSIFIER = "License :: OSI Approved :: "


def python() -> Iterator[dict[str, object]]:
    """Every Python distribution of the environment that runs this."""
    for found in {each.metadata["Name"].lower(): each for each in distributions()}.values():
        told = found.metadata
        every = told.get_all("Classifier") or []
        classified = [one.removeprefix(_CLASSIFIER) for one in every if one.startswith(_CLASSIFIER)]
        free_text = [one.strip().split("\n")[0] for one in told.get_all("License") or []]
        words = [*(told.get_all("License-Expression") or []), *free_text, " AND ".join(classified)]
        yield {"kind": "pypi", "name": told["Name"], "version": told["Version"], "told": [one for one in words if one]}


def debian() -> Iterator[dict[str, object]]:
    """Every installed Debian package."""
    status = Path("/var/lib/dpkg/status")
    files = [status] if status.is_file() else []
    files += sorted(Path("/var/lib/dpkg/status.d").glob("*")) if Path("/var/lib/dpkg/status.d").is_dir() else []
    for entry in (one for file in files for one in file.read_text(errors="replace").split("\n\n")):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", entry, re.MULTILINE))
        if "Package" in fields and ("Status" not in fields or "installed" in fields["Status"].split()):
            yield {"kind": "deb", "name": fields["Package"], "version": fields["Version"], "told": copyright_of(fields)}


def copyright_of(fields: Mapping[str, str]) -> list[str]:
    """The licences that a machine-readable copyright file names; else the place of the file; nothing without a file."""
    file = Path("/usr/share/doc") / fields["Package"] / "copyright"
    if not file.is_file():
        return []
    named = sorted(set(_LICENCE.findall(file.read_text(errors="replace"))))
    return [", ".join(named)] if named else [f"see {file}"]


def interpreter() -> Iterator[dict[str, object]]:
    """Python itself, where no package manager knows it."""
    if Path("/usr/local/bin/python3").resolve().is_relative_to("/usr/local"):
        yield {"kind": "generic", "name": "cpython", "version": platform.python_version(), "told": ["Python-2.0.1"]}


sys.stdout.write(json.dumps([*python(), *debian(), *interpreter()]))
