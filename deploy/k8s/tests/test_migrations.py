"""Old and new code run side by side during an upgrade, so each migration says whether the code before it runs on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from servicekit.drafting import takes_away

MIGRATIONS = sorted((Path(__file__).parents[3] / "services").glob("*/src/*/migrations/[0-9]*.py"))
UNFILLED = re.compile(r"ADD COLUMN \w+ [^,;]*NOT NULL(?![^,;]*DEFAULT)")
"""A column that inserts of older code would leave empty, and be refused for."""
each = pytest.mark.parametrize("file", MIGRATIONS, ids=lambda file: f"{file.parents[1].name}-{file.stem}")


def read(file: Path) -> tuple[str, str]:
    """Its description, and its statements."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    texts = [
        node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return ast.get_docstring(module) or "", "\n".join(texts)


def unkept(description: str, statements: str) -> str | None:
    """What is wrong with a migration's word; None if nothing is."""
    last = description.strip().splitlines()[-1]
    if not last.startswith(("Expands: ", "Contracts: ")):
        return "its last line says neither Expands nor Contracts"
    if last.startswith("Expands: the code before it runs on.") and takes_away([statements]):
        return "it says that it expands, and takes something away"
    if last.startswith("Expands") and UNFILLED.search(statements):
        return "inserts of the code before leave a column empty that must not be"
    return None


@each
def test_a_migration_says_whether_the_code_before_it_runs_on(file: Path) -> None:
    assert unkept(*read(file)) is None


@pytest.mark.parametrize(
    ("description", "statements"),
    [
        ("Something.", "ALTER TABLE a ADD COLUMN b text"),
        ("Less.\n\nExpands: the code before it runs on.", "ALTER TABLE a DROP COLUMN b"),
        ("Less.\n\nExpands: the code before it runs on.", "ALTER TABLE a RENAME TO b"),
        ("Less.\n\nExpands: the code before it runs on.", "ALTER TABLE a ALTER COLUMN b TYPE bigint USING b::bigint"),
        (
            "More.\n\nExpands: the code before it runs on.",
            "ALTER TABLE a ADD COLUMN b text NOT NULL, ADD COLUMN c int",
        ),
    ],
)
def test_a_word_that_is_not_kept_is_found(description: str, statements: str) -> None:
    assert unkept(description, statements)


def test_a_column_with_a_default_and_what_contracts_openly_are_right() -> None:
    assert unkept("Expands: x", "ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT ''") is None
    assert unkept("Contracts: x", "DROP TABLE a") is None
