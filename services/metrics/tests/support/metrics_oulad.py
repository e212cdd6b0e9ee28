"""The Open University Learning Analytics Dataset as facts: who registered for a course, and handed in which assessment.

Kuzilek, Hlosta, Zdrahal, Scientific Data 4, 2017, doi 10.1038/sdata.2017.171 (CC BY 4.0). It is no part of the project:
`OULAD` names the folder with its files.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from metrics_facts import Fact, did, published, registered

FOLDER = Path(os.environ.get("OULAD") or Path(__file__).parents[5] / "shared/data/oulad")
STARTS = {"2013B": datetime(2013, 2, 1, tzinfo=UTC), "2013J": datetime(2013, 10, 1, tzinfo=UTC)}
"""B presentations begin in February, J ones in October; all dates of the data set count from there."""
IMPORTED_AT = datetime(2014, 8, 1, 9, tzinfo=UTC)


def present() -> bool:
    """Whether the data set is there."""
    return (FOLDER / "studentAssessment.csv").exists()


def facts(module: str, presentation: str) -> list[Fact]:
    """One presentation of a module, as an operator imports it."""
    start = STARTS[presentation]
    assessments = {row["id_assessment"] for row in _rows("assessments.csv", module, presentation)}
    found = [published(f"a{one}", start, module, [module], "free") for one in sorted(assessments)]
    for row in _rows("studentRegistration.csv", module, presentation):
        if row["date_registration"]:
            found.append(registered(f"s{row['id_student']}", _at(start, row["date_registration"], row["id_student"])))
    for row in _read("studentAssessment.csv"):
        if row["id_assessment"] in assessments and row["is_banked"] == "0":
            member, content = f"s{row['id_student']}", f"a{row['id_assessment']}"
            found.append(did("complete", member, _at(start, row["date_submitted"], row["id_student"]), content))
    return [fact.imported(IMPORTED_AT) for fact in found]


def _at(start: datetime, days: str, student: str) -> datetime:
    """The data set has days only: each student gets a time of day."""
    return start + timedelta(days=int(days), minutes=int(student) * 7 % 1440)


def _rows(name: str, module: str, presentation: str) -> Iterator[dict[str, str]]:
    for row in _read(name):
        if (row["code_module"], row["code_presentation"]) == (module, presentation):
            yield row


def _read(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
