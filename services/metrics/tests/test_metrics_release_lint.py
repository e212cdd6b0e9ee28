"""Near the releases no chance is drawn but by the noise process: the lint that says so, tried on code that does it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RELEASE = "services/metrics/src/metrics/release"


def found(code: str, place: str) -> list[str]:
    """What ruff says about chance in a module with this code at this place."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--stdin-filename", place, "-"]
    done = subprocess.run(
        command, input=f'"""A module."""\n{code}\n', capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if "TID251" in line]


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nnp.random.default_rng(1)",
        "import numpy as np\nnp.random.laplace()",
        "import numpy.random",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import random",
        "from random import SystemRandom",
        "import secrets",
        "from scipy import stats",
        "from scipy.stats import laplace",
        "import os\nos.urandom(8)",
        "import os\nos.fork()",
        "import pydp",
        "from pydp.algorithms.numerical_mechanisms import LaplaceMechanism",
        "from pydp.algorithms.laplacian import Count",
    ],
)
@pytest.mark.parametrize("module", ["queries.py", "domain/drawing.py", "noise/process.py"])
def test_chance_of_its_own_is_found_anywhere_near_the_releases(module: str, code: str) -> None:
    assert found(code, f"{RELEASE}/{module}")


def test_the_sampler_alone_may_use_pydp() -> None:
    code = "from pydp.algorithms.numerical_mechanisms import LaplaceMechanism"
    assert not found(code, f"{RELEASE}/noise/sampler.py")
    imports = [
        path
        for path in (ROOT / "services").rglob("src/**/*.py")
        if "import pydp" in (text := path.read_text()) or "from pydp" in text
    ]
    assert [path.relative_to(ROOT / RELEASE).as_posix() for path in imports] == ["noise/sampler.py"]


def test_the_rules_of_the_tree_hold_there_as_well() -> None:
    assert found("import grpc\ngrpc.aio.insecure_channel('x')", f"{RELEASE}/rpc.py")
