"""Logs say what failed, never with what values."""

from __future__ import annotations

import json
import logging
import os
import signal
import uuid
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

import pytest

from servicekit.call import Call, enter_call
from servicekit.logs import NOISY, configure_logs
from servicekit.settings import ServiceSettings

SECRET = "correct horse battery staple"


def test_a_traceback_in_the_log_holds_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    try:
        configure_logs("identity", "serve")
        _fail(SECRET)
    finally:
        logging.root.handlers[:], logging.root.level = before
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert SECRET not in line and "ZeroDivisionError" in line
    assert json.loads(line)["service"] == "identity"


def _fail(password: str) -> float:
    try:
        return len(password) / 0
    except ZeroDivisionError:
        logging.getLogger("test").exception("failed")
        return 0.0


def test_a_missing_setting_is_named_without_the_environments_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/d")
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    with pytest.raises(ValueError, match="kafka_bootstrap") as failure:
        ServiceSettings()
    assert SECRET not in str(failure.value)


@pytest.fixture
def logs() -> Iterator[None]:
    """Logs as a process has them, and as they were afterwards."""
    before, levels = logging.root.handlers[:], [(name, logging.getLogger(name).level) for name in (None, *NOISY)]
    usual = signal.getsignal(signal.SIGHUP)
    yield
    logging.root.handlers[:] = before
    for name, level in levels:
        logging.getLogger(name).setLevel(level)
    signal.signal(signal.SIGHUP, usual)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.strip().splitlines()]


def test_each_line_says_which_version_wrote_it(
    logs: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYCEUM_VERSION", "1.2.3")
    configure_logs("identity", "serve")
    logging.getLogger("test").info("here")
    assert lines(capsys)[-1]["version"] == "1.2.3"


def test_a_signal_shows_more_and_another_less(logs: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("identity", "serve")
    for number in range(4):
        logging.getLogger("test").debug("detail %s", number)
        logging.getLogger("aiokafka").info("chatter %s", number)
        os.kill(os.getpid(), signal.SIGHUP)
    said = [line["event"] for line in lines(capsys)]
    assert [one for one in said if one.startswith("detail")] == ["detail 1", "detail 3"]
    assert [one for one in said if one.startswith("chatter")] == ["chatter 1", "chatter 3"]
    assert [one for one in said if "level" in one] == ["log level changed"] * 4


def test_a_line_written_in_a_call_has_the_id_that_its_caller_was_told(
    logs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("identity", "serve")

    def inside() -> None:
        enter_call(a_call({"x-request-id": "abc-1"}))
        logging.getLogger("test").info("inside")

    copy_context().run(inside)  # or every later test of this process would be in that call
    assert lines(capsys)[-1]["correlation_id"] == "abc-1"


@pytest.mark.parametrize("told", ["", "with blank", "x" * 129, "新"])
def test_a_call_whose_id_is_none_gets_one_and_keeps_it(told: str) -> None:
    call = a_call({"x-request-id": told})
    assert call.correlation_id == call.context().correlation_id == call.correlation_id
    assert str(uuid.UUID(call.correlation_id)) == call.correlation_id


def a_call(metadata: dict[str, str]) -> Call:
    return Call(
        rpc="/test/Do",
        metadata=metadata,
        caller=None,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        service="identity",
        idempotency_secret=b"",
        servicer_context=None,  # type: ignore[arg-type]  # nothing here asks it
    )
