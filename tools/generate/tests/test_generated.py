"""What is committed is what the protos and the pinned generators make, and the checks of the protos can fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lyceum_generate.__main__ import (
    CACHE,
    DESCRIPTORS,
    METHODS,
    OPENAPI,
    PROTOS,
    PYTHON_CLIENT,
    RELEASED,
    STUBS,
    TYPED_EVENTS,
    TYPESCRIPT_CLIENT,
    breaking,
    lint,
    release,
)
from lyceum_generate.clients.contract import contract
from lyceum_generate.clients.python import generate_python
from lyceum_generate.clients.typescript import generate_typescript
from lyceum_generate.methods import generate_methods
from lyceum_generate.named import named
from lyceum_generate.openapi import GoMissing, generate_openapi
from lyceum_generate.stubs import generate_descriptors, generate_stubs
from lyceum_generate.typed_events import generate_typed_events

ROOT = Path(__file__).parents[3]
BILLING = Path("lyceum/billing/v1/billing.proto")


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_stubs_are_up_to_date(tmp_path: Path) -> None:
    generate_stubs(ROOT / PROTOS, tmp_path / "lyceum")
    made, kept = _contents(tmp_path / "lyceum"), _contents(ROOT / STUBS)
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []


def test_the_typed_events_are_up_to_date(tmp_path: Path) -> None:
    generate_typed_events(tmp_path / "events")
    assert _contents(tmp_path / "events") == _contents(ROOT / TYPED_EVENTS), "run make generate"


def test_every_file_that_names_services_names_those_there_are() -> None:
    assert [str(path) for path, text in named(ROOT).items() if path.read_text() != text] == [], "run make generate"


def test_the_gateways_descriptors_are_up_to_date(tmp_path: Path) -> None:
    generate_descriptors(ROOT / PROTOS, tmp_path / "made.binpb")
    assert (tmp_path / "made.binpb").read_bytes() == (ROOT / DESCRIPTORS).read_bytes()


def test_the_gateways_methods_are_up_to_date(tmp_path: Path) -> None:
    generate_methods(ROOT / DESCRIPTORS, tmp_path / "methods.py")
    assert (tmp_path / "methods.py").read_text() == (ROOT / METHODS).read_text(), "run make generate"


def test_the_python_clients_messages_and_calls_are_up_to_date(tmp_path: Path) -> None:
    generate_python(contract(ROOT / PROTOS, ROOT / DESCRIPTORS), tmp_path)
    for folder in ("messages", "services"):
        assert _contents(tmp_path / folder) == _contents(ROOT / PYTHON_CLIENT / folder), "run make generate"


def test_the_typescript_clients_messages_and_calls_are_up_to_date(tmp_path: Path) -> None:
    generate_typescript(contract(ROOT / PROTOS, ROOT / DESCRIPTORS), tmp_path)
    for folder in ("messages", "services"):
        assert _contents(tmp_path / folder) == _contents(ROOT / TYPESCRIPT_CLIENT / folder), "run make generate"


def test_the_openapi_document_is_up_to_date(tmp_path: Path) -> None:
    try:
        generate_openapi(ROOT / PROTOS, ROOT / DESCRIPTORS, tmp_path / "made.yaml", ROOT / CACHE)
    except GoMissing as missing:
        pytest.skip(f"the OpenAPI document is not checked: {missing}")
    assert (tmp_path / "made.yaml").read_text() == (ROOT / OPENAPI).read_text()


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / PROTOS, tmp_path / "protos"))


def _change(protos: Path, old: str, new: str) -> None:
    text = (protos / BILLING).read_text()
    assert old in text
    (protos / BILLING).write_text(text.replace(old, new, 1))


def test_the_protos_are_clean_and_break_nothing_released() -> None:
    lint(ROOT / PROTOS)
    breaking(ROOT / PROTOS, ROOT / RELEASED)


def test_a_field_that_changes_its_type_is_found(protos: Path) -> None:
    _change(protos, "int64 debit_minor = 3;", "string debit_minor = 3;")
    with pytest.raises(subprocess.CalledProcessError):
        breaking(protos, ROOT / RELEASED)


def test_a_new_field_breaks_nothing(protos: Path) -> None:
    _change(protos, "int64 debit_minor = 3;", "int64 debit_minor = 3;\n  int64 lines = 99;")
    breaking(protos, ROOT / RELEASED)


def test_a_name_against_the_rules_is_found(protos: Path) -> None:
    _change(protos, "int64 debit_minor = 3;", "int64 debitMinor = 3;")
    with pytest.raises(subprocess.CalledProcessError):
        lint(protos)


def test_what_is_released_now_is_what_the_next_change_is_held_to(tmp_path: Path) -> None:
    release(ROOT / PROTOS, tmp_path / "released.binpb")
    breaking(ROOT / PROTOS, tmp_path / "released.binpb")
