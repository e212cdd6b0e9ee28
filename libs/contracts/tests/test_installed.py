"""The packages carry their files: a wheel works where there is no tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
USES = {
    "libs/contracts": "from contracts.avro import AvroCodec; assert len(AvroCodec().types) > 10",
    "deploy/gateway": "from lyceum_gateway import Gateway, render; from lyceum_gateway.services import SERVICES; "
    "assert 'api.html' in render(Gateway(dict.fromkeys(SERVICES, [('h', 1)]), 1, 2, 'i', 'a'))",
}


@pytest.mark.parametrize("package", USES)
def test_a_wheel_is_complete(package: str, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT / package, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    use = f"import sys; sys.path.insert(0, '.'); {USES[package]}"
    subprocess.run([sys.executable, "-c", use], cwd=tmp_path / "installed", check=True)
