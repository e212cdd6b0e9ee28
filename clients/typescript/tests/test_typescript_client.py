"""The TypeScript client passes the strict compiler, and Node's own tests of what is built into each call."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from compiled import FOLDER, built, checked

NODE_S = 60


@pytest.mark.parametrize("project", ["tsconfig.json", "examples/tsconfig.json"])
def test_the_strict_compiler_has_no_complaint(project: str) -> None:
    assert checked(project) == ""


def test_what_the_compiler_refuses_is_found(tmp_path: Path) -> None:
    wrong = Path(shutil.copytree(FOLDER, tmp_path / "client", ignore=shutil.ignore_patterns("node_modules", "dist")))
    (wrong / "src/wrong.ts").write_text(
        'import { Lyceum } from "./index.js";\nvoid new Lyceum("http://x").billing.getOrder({ order: "1" });\n'
    )
    assert "wrong.ts" in checked(str(wrong / "tsconfig.json"))


def test_calls_are_repeated_renewed_and_refused_as_promised(tmp_path: Path) -> None:
    environment = {**os.environ, "LYCEUM_CLIENT": str(built(tmp_path) / "src/index.js")}
    ran = subprocess.run(
        ["node", "--test", "--test-reporter=tap", str(FOLDER / "tests/calls.test.mjs")],
        env=environment, capture_output=True, text=True, timeout=NODE_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout
