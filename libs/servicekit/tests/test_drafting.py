"""A draft brings tables to what is declared, and is a migration that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from eventfold import EventCodec, ReadTable
from servicekit.definition import ServiceDefinition
from servicekit.drafting import BadName, statements, write
from servicekit.migrate import migrate
from servicekit.schema_version import check_version
from servicekit.settings import ServiceSettings
from servicekit.testing import migrated

FIRST = """from servicekit.migrate import step
TABLES = "CREATE TABLE book (book_id text PRIMARY KEY, pages bigint, shelf text NOT NULL)"
revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
"""


class BookRow(NamedTuple):
    book_id: str
    pages: int
    title: str
    author: str | None


class LoanRow(NamedTuple):
    book_id: str
    reader: str
    day: int


BOOKS = ReadTable("book", BookRow, followed=True)
LOANS = ReadTable("loan", LoanRow, key_columns=2)


async def nothing(*_: object) -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "0001_initial.py").write_text(FIRST)
    yield tmp_path


def definition(folder: Path) -> ServiceDefinition:
    return ServiceDefinition(
        name="sample",
        settings=ServiceSettings,
        migrations=folder,
        codec=EventCodec({}),
        to_public=lambda _: None,
        register=nothing,
    )


def drafted(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        return statements(conn, [BOOKS, LOANS])


async def test_what_was_drafted_runs_and_leaves_nothing_to_draft(postgres_url: str, folder: Path) -> None:
    async with migrated(postgres_url, definition(folder)) as url:
        with psycopg.connect(url) as conn:
            conn.execute("INSERT INTO book VALUES ('b', 3, 'left')")
        file = write(folder, "titles_and_loans", drafted(url))
        assert file.name == "0002_titles_and_loans.py"
        migrate(url, folder)
        check_version(url, folder)
        assert drafted(url) == []
        with psycopg.connect(url) as conn:
            assert _rows(conn) == [("b", 3, "", None)]


def _rows(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT book_id, pages, title, author FROM book").fetchall()


async def test_a_draft_says_what_changes_and_no_more(postgres_url: str, folder: Path) -> None:
    async with migrated(postgres_url, definition(folder)) as url:
        book, loan = drafted(url)
    assert loan == LOANS.create_sql
    for change in (
        "DROP COLUMN shelf",
        "ALTER COLUMN pages SET NOT NULL",
        "ADD COLUMN title text NOT NULL DEFAULT ''",
        "ADD COLUMN author text",
        "ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id()",
    ):
        assert change in book
    assert "book_id" not in book


@pytest.mark.parametrize("name", ["", "Add", "add courses", "../add", "a" * 62])
def test_a_name_that_is_no_word_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(BadName):
        write(folder, name, ["SELECT 1"])
    assert [file.name for file in folder.iterdir()] == ["0001_initial.py"]
