"""A process of metrics that was told another zone than the one in which days were counted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metrics.bootstrap import DEFINITION
from servicekit.built_under import keep_settings
from servicekit.runtime import REFUSED
from servicekit.testing import migrated

WITHIN_S = 60


def run(role: str, told: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "metrics", role]
    told = os.environ | told
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=WITHIN_S, check=False)


@pytest.mark.parametrize("role", ["prepare", "serve", "work"])
async def test_a_process_that_was_told_another_zone_ends_with_a_sentence(
    postgres_url: str, tmp_path: Path, role: str
) -> None:
    """Given days counted in UTC, when a process starts with another zone, then it ends at once and says what to do."""
    told = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "KEY_DIR": str(tmp_path), "METRICS_ZONE": "Asia/Shanghai"}
    async with migrated(postgres_url, DEFINITION) as url:
        keep_settings(url, DEFINITION)
        ended = await asyncio.to_thread(run, role, told | {"DATABASE_URL": url})
    assert ended.returncode == REFUSED, ended.stderr
    wrong = "activity was built under METRICS_ZONE=UTC, and this process has METRICS_ZONE=Asia/Shanghai"
    assert f"BuiltUnderOther: {wrong}: set it back, or run `rebuild activity --new-settings`" in ended.stderr
    assert "Traceback" not in ended.stderr
