"""A process whose settings are not those of its read tables ends at its start, or answers by name if it learns late."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from eventfold import EventCodec, FoldGroup, Projection
from eventfold.errors import BuiltUnderOther
from servicekit import runtime
from servicekit.built_under import keep_settings
from servicekit.definition import ServiceDefinition
from servicekit.schema_version import SchemaBehind, Versions
from servicekit.settings import ServiceSettings
from servicekit.statuses import status_of
from servicekit.testing import migrated


async def nothing(*_: object) -> list[str]:
    return []


def definition(folder: Path, zone: str) -> ServiceDefinition:
    (folder / "0001_nothing.py").write_text('revision, down_revision = "0001", None\ndef upgrade():\n    pass\n')
    days = Projection("days", (), (), lambda _: {}, lambda _, __: {}, built_under={"ZONE": zone})
    return ServiceDefinition(
        name="sample",
        settings=ServiceSettings,
        migrations=folder,
        codec=EventCodec({}),
        to_public=lambda _: None,
        register=nothing,
        groups=(FoldGroup("days", (days,)),),
    )


def settings(url: str, folder: Path) -> ServiceSettings:
    return ServiceSettings(database_url=url, kafka_bootstrap="127.0.0.1:1", key_dir=folder)


async def test_the_first_process_records_its_settings_and_one_with_others_is_refused(
    postgres_url: str, tmp_path: Path
) -> None:
    utc, lisbon = definition(tmp_path, "UTC"), definition(tmp_path, "Europe/Lisbon")
    async with migrated(postgres_url, utc) as url:
        keep_settings(url, utc)
        keep_settings(url, utc)
        with pytest.raises(BuiltUnderOther, match="days was built under ZONE=UTC"):
            keep_settings(url, lisbon)
        keep_settings(url, replace(lisbon, groups=()))


@pytest.mark.parametrize("role", [runtime.prepare, runtime.serve, runtime.work, partial(runtime.further, "learn")])
async def test_a_process_with_other_settings_ends_at_its_start_with_one_line_that_says_why(
    postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, role: runtime.Role
) -> None:
    utc, lisbon = definition(tmp_path, "UTC"), definition(tmp_path, "Europe/Lisbon")
    async with migrated(postgres_url, utc) as url:
        keep_settings(url, utc)
        with pytest.raises(SystemExit) as ended:
            runtime.run_role(role, lisbon, settings(url, tmp_path))
    assert ended.value.code == runtime.REFUSED
    [said] = _critical(caplog)
    assert said.startswith("BuiltUnderOther: days was built under ZONE=UTC, and this process has ZONE=Europe/Lisbon: ")


def test_a_database_of_another_version_ends_a_process_as_plainly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def behind(*_: object) -> None:
        raise SchemaBehind(Versions(None, None), Versions("0001", 9))

    with pytest.raises(SystemExit) as ended:
        runtime.run_role(behind, definition(tmp_path, "UTC"), settings("postgresql://", tmp_path))
    assert ended.value.code == runtime.REFUSED and _critical(caplog)[0].startswith("SchemaBehind: the database is at")


def _critical(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    assert not any(one.exc_info for one in caplog.records)
    return [one.getMessage() for one in caplog.records if one.levelno == logging.CRITICAL]


def test_a_server_that_learns_of_other_settings_answers_by_name() -> None:
    code, status = status_of(BuiltUnderOther("days", "ZONE", "UTC", "Europe/Lisbon"))
    info = ErrorInfo()
    status.details[0].Unpack(info)
    assert (code, info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUILT_UNDER_OTHER")
    assert "days was built under ZONE=UTC" in status.message
