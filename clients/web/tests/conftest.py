"""A site over a fake platform, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_stand_in import Running, running


@pytest.fixture
def web(tmp_path: Path) -> Running:
    """A community of 1,000 members, 100 of whom paid 100.00."""
    return running(tmp_path)
