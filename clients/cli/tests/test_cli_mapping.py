"""Mapping files: renaming, templates, constants, days of reference, joins."""

from __future__ import annotations

from pathlib import Path

import pytest

from lyceum_cli.errors import BadMapping
from lyceum_cli.importing.gathering import Gathered, gather
from lyceum_cli.importing.reading import Format, Source

OULAD = Path(__file__).parents[1] / "mappings" / "oulad.toml"
SECTION = """
[day_zero.term]
J = 2013-10-01
[members.people]
external_id = "{id}"
username = "s-{id}-{module}"
registered_at = { days = "{joined}", since = "term", key = "{term}", at = "12:00:00" }
"""


def mapped(folder: Path, mapping: str, people: str = "id,module,term,joined\n7,AAA,J,-2\n") -> Gathered:
    (folder / "people.csv").write_text(people)
    (folder / "map.toml").write_text(mapping)
    return gather([Source("members", folder / "people.csv")], folder / "map.toml")


def test_given_templates_and_a_day_of_reference_then_the_row_is_made_of_them(tmp_path: Path) -> None:
    (one,) = mapped(tmp_path, SECTION).items
    assert one.body == {
        "external_id": "7",
        "username": "s-7-AAA",
        "role": "consumer",
        "registered_at": "2013-09-29T12:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,AAA,J,", "is empty"),
        ("7,AAA,J,soon", "is no whole number of days"),
        ("7,AAA,B,1", "has no day of reference"),
        ("7,AAA,J,999999", "days away"),
    ],
)
def test_given_a_day_that_cannot_be_told_then_the_row_is_set_aside(tmp_path: Path, row: str, reason: str) -> None:
    found = mapped(tmp_path, SECTION, f"id,module,term,joined\n{row}\n8,AAA,J,0\n")
    assert [(one.line, one.field) for one in found.rejects] == [(2, "registered_at")]
    assert reason in found.rejects[0].reason
    assert [one.external_id for one in found.items] == ["8"]


def test_given_rows_in_the_mapping_then_they_are_imported_too(tmp_path: Path) -> None:
    row = ('external_id = "h"', 'username = "house"', 'role = "creator"', 'registered_at = "2012-01-01T00:00:00Z"')
    rows = "\n".join(("[[members.rows]]", *row, ""))
    found = mapped(tmp_path, rows + SECTION)
    assert [one.external_id for one in found.items] == ["h", "7"]
    assert found.rows("members") == 2


def test_given_a_join_then_the_other_files_columns_are_there_and_its_hash_counts(tmp_path: Path) -> None:
    (tmp_path / "modules.csv").write_text("module,name\nAAA,Art\n")
    section = SECTION.replace("s-{id}-{module}", "s-{id}-{name}") + 'join = [{ file = "modules.csv", on = "module" }]\n'
    found = mapped(tmp_path, section, "id,module,term,joined\n7,AAA,J,0\n8,ZZZ,J,0\n")
    assert found.items[0].body["username"] == "s-7-Art"
    assert [(one.field, one.reason) for one in found.rejects] == [("module", "has no row in modules.csv")]
    assert set(found.files) == {"members: people.csv", "map.toml", "modules.csv"}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[members.people]", "[persons.people]", "must be day_zero or one of"),
        ('external_id = "{id}"', 'colour = "red"', "unknown columns: colour"),
        ('external_id = "{id}"', "", "says nothing about: external_id"),
        ('"{id}"', '"{id.__class__}"', "may hold {column} only"),
        ('"{id}"', '"{id!r}"', "may hold {column} only"),
        ('"{id}"', '"{0}"', "may hold {column} only"),
        ('"{id}"', '"{id"', "is no template"),
        ('"{id}"', "7", "must be a text"),
        ('since = "term"', 'since = "year"', "there is no"),
        ('at = "12:00:00"', 'at = "noon"', "must be a time"),
        ("2013-10-01", '"October"', "must be a day"),
        ("[members.people]", "[members.people", "map.toml"),
        ("[day_zero.term]", "[day_zero]", "day_zero: must hold tables"),
        ('external_id = "{id}"', 'repeated = "last"\nexternal_id = "{id}"', 'repeated: must be "first"'),
    ],
)
def test_given_a_mapping_that_says_nonsense_then_it_is_refused_by_place(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(BadMapping, match=complaint.replace("{", r"\{")):
        mapped(tmp_path, SECTION.replace(old, new))


def test_the_mapping_of_oulad_reads_its_files(tmp_path: Path) -> None:
    files = {
        "studentRegistration": "code_module,code_presentation,id_student,date_registration\nAAA,2013J,11391,-159\n",
        "courses": "code_module,code_presentation,module_presentation_length\nAAA,2013J,268\n",
        "vle": "id_site,code_module,code_presentation,activity_type,week_from,week_to\n546943,AAA,2013J,resource,,\n",
        "assessments": "code_module,code_presentation,id_assessment,assessment_type,weight\nAAA,2013J,1752,TMA,10\n",
        "studentAssessment": "id_assessment,id_student,date_submitted,is_banked\n1752,11391,18,0\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    sources = [Source("members", tmp_path / "studentRegistration.csv")]
    sources += [Source("contents", tmp_path / f"{name}.csv") for name in ("courses", "vle", "assessments")]
    found = gather([*sources, Source("interactions", tmp_path / "studentAssessment.csv")], OULAD)
    assert not found.rejects
    assert [one.external_id for one in found.items] == [
        "open-university",
        "11391",
        "AAA-2013J",
        "site-546943",
        "assessment-1752",
        "11391-1752",
    ]
    assert found.items[-1].body["occurred_at"] == "2013-10-19T12:00:00.000000Z"


@pytest.mark.parametrize(("repeated", "items", "rejects"), [("", 1, 1), ('repeated = "first"\n', 2, 0)])
def test_given_an_id_twice_then_the_mapping_may_say_that_the_first_counts(
    tmp_path: Path, repeated: str, items: int, rejects: int
) -> None:
    people = "id,module,term,joined\n7,AAA,J,0\n7,AAA,J,9\n"
    found = mapped(tmp_path, SECTION.replace("[members.people]\n", f"[members.people]\n{repeated}"), people)
    assert (len(found.items), len(found.rejects)) == (items, rejects)


def test_given_orders_in_a_mapping_then_they_name_a_product_or_content(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("who,what,price\n7,c1,12.90\n")
    columns = 'member_external_id = "{who}"\nlist_minor = "{price}"\ncharged_minor = "{price}"\ncurrency = "CNY"\n'
    section = f'[orders.sales]\n{columns}ordered_at = "2024-01-01T00:00:00Z"\n'
    (tmp_path / "map.toml").write_text(section)
    source = Source("orders", tmp_path / "sales.csv")
    with pytest.raises(BadMapping, match="says nothing about: product_id or content_external_id"):
        gather([source], tmp_path / "map.toml")
    (tmp_path / "map.toml").write_text(section + 'content_external_id = "{what}"\n')
    (one,) = gather([source], tmp_path / "map.toml", Format(amounts="major")).items
    assert (one.content, one.body["list"]) == ("c1", {"amount_minor": "1290", "currency": "CNY"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("members = 3", "members: must be sections"),
        ("members.people = 3", "members: must hold tables"),
        ("members.rows = 3", "members.rows: must be tables"),
    ],
)
def test_given_values_where_tables_belong_then_the_mapping_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(BadMapping, match=complaint):
        mapped(tmp_path, text)
