"""Logs say what failed, never with what values."""

from __future__ import annotations

import json
import logging

import pytest

from servicekit.logs import configure_logs
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
