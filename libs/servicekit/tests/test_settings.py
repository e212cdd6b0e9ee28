"""What a service is told by its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicekit.settings import ServiceSettings


def test_every_peer_that_is_told_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIFT_CARDS_TARGET", "cards:50051")
    settings = ServiceSettings(database_url="", kafka_bootstrap="", key_dir=tmp_path)
    assert (settings.target("gift_cards"), settings.target("identity")) == ("cards:50051", "")
