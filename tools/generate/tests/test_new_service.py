"""`make service` in a copy of the tree: what it writes holds all rules, changes by hand nothing, and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from lyceum_generate.new_service import _free_ports
from lyceum_generate.service_names import BadServiceName, NameInUse, Words, checked_words
from lyceum_k8s.tree import HEADER
from lyceum_tree import ROOT, sources

NAME = "gift_cards"
SCRIPTS = Path(sysconfig.get_path("scripts"))
RUN_S = 300.0
GENERATED = {
    "README.md",
    "deploy/compose/compose.yaml",
    "deploy/compose/databases.sql",
    "deploy/gateway/lyceum.binpb",
    "deploy/gateway/src/lyceum_gateway/methods.py",
    "deploy/gateway/src/lyceum_gateway/services.py",
    "docs/events.md",
    "libs/importlinter.toml",
    "pyproject.toml",
    "schemas/asyncapi.yaml",
}
"""The files that are there before and change: all by the generator."""
MANIFESTS = "deploy/k8s/"
WHERE_GO_IS = {"deploy/gateway/openapi.yaml", "deploy/gateway/api.html"}
WRITTEN, OF_ITS_OWN = 22, 15
"""The new files: of the skeleton, and generated. `docs/architecture.md` says so."""

TOLD = '[tool.lyceum]\nowns = "o"\nserves = "s"\nports = {{ {} }}\n'


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, which runs with this environment's packages and its own sources."""

    root: Path
    files: list[str]

    def run(self, *command: str | Path) -> str:
        """What it prints; fails with that where it fails."""
        own = os.pathsep.join(str(self.root / folder) for folder in sources(self.root) if folder.endswith("/src"))
        environment = {**os.environ, "PYTHONPATH": own}
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            timeout=RUN_S,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def module(self, *words: str | Path) -> str:
        """`python -m`."""
        return self.run(sys.executable, "-m", *words)

    def changed(self) -> set[str]:
        """Which of the files that were copied are no longer as they were."""
        return {name for name in self.files if (self.root / name).read_bytes() != (ROOT / name).read_bytes()}

    def new(self) -> set[str]:
        """The files that were not copied, but for what tools keep for themselves."""
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        shown = {
            str(path) for path in found if path.suffix != ".pyc" and not any(part[0] == "." for part in path.parts)
        }
        return shown - set(self.files)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the service was made, without what installs it: sources are found where they stand."""
    root = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    if (ROOT / ".cache").exists():
        (root / ".cache").symlink_to(ROOT / ".cache")
    made = Copy(root, files)
    made.module("lyceum_generate", "service", NAME)
    made.module("lyceum_generate")
    return made


def test_no_file_that_was_there_is_changed_by_hand(tree: Copy) -> None:
    changed, new = tree.changed() - WHERE_GO_IS, tree.new()
    assert {name for name in changed if not name.startswith(MANIFESTS)} == GENERATED
    assert len([name for name in new if not name.startswith(MANIFESTS)]) == WRITTEN + OF_ITS_OWN


def test_its_manifests_are_written_with_it(tree: Copy) -> None:
    manifests = {name for name in tree.changed() | tree.new() if name.startswith(MANIFESTS)}
    assert "deploy/k8s/base/gift-cards/server.yaml" in manifests
    assert all((tree.root / name).read_text(encoding="utf-8").startswith(HEADER) for name in manifests)
    tree.module("pytest", "-q", "deploy/k8s/tests/test_flows_and_rights.py")


def test_it_holds_the_rules_of_the_tree(tree: Copy) -> None:
    for check in (["check"], ["format", "--check"]):
        tree.module("ruff", *check, f"services/{NAME}", "deploy/gateway/src", "libs/contracts/src/contracts")
    tree.run(SCRIPTS / "lint-imports")
    tree.run(SCRIPTS / "lint-imports", "--config", "libs/importlinter.toml")
    tree.module("lyceum_generate", "lint")
    tree.module("mypy", f"services/{NAME}")


def test_its_own_tests_pass(tree: Copy) -> None:
    assert "passed" in tree.module("pytest", "-q", f"services/{NAME}")


def test_what_is_asked_of_every_service_holds_for_it(tree: Copy) -> None:
    own = ["test_policies.py", "test_projections.py", "test_stored_goldens.py", "test_collisions.py"]
    tree.module("pytest", "-q", "tools/tree", "deploy/images", *(f"tools/generate/tests/{file}" for file in own))


def test_it_runs_in_a_stack_and_its_query_shows_what_its_command_did(tree: Copy, tmp_path: Path) -> None:
    tree.run(sys.executable, "tools/generate/tests/living.py", NAME, tmp_path / "stack")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("GiftCards", "snake_case"),
        ("_cards", "snake_case"),
        ("gift__cards", "snake_case"),
        ("c" * 25, "1 to 24"),
        ("lambda", "Python keeps"),
        ("ifs", "Python keeps"),
        ("queue", "Python's own"),
    ],
)
def test_a_name_that_gives_no_modules_is_refused(name: str, reason: str) -> None:
    with pytest.raises(BadServiceName, match=reason):
        checked_words(name, ROOT)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("catalog", "services/catalog is there"),
        ("common", "schemas/proto/lyceum/common is there"),
        ("kafka", "part of the stack"),
        ("clients", "requirements/clients.in"),
        ("numpy", "package"),
        ("orders", "streams of billing are called 'order'"),
        ("popular", "the path /v1/popular is served"),
    ],
)
def test_a_name_that_something_else_has_is_refused(name: str, what: str) -> None:
    with pytest.raises(NameInUse, match=what):
        checked_words(name, ROOT)


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        ("serve = 1, serve_metrics = 101, work_metrics = 103", (2, 104, 105)),
        ("serve = 1, serve_metrics = 101, work_metrics = 102, learn_metrics = 107", (2, 108, 109)),
        ("serve = 1, serve_metrics = 3, work_metrics = 4, learn_metrics = 2", (5, 6, 7)),
        ("serve = 9, serve_metrics = 1, work_metrics = 2", (10, 11, 12)),
    ],
)
def test_given_ports_in_use_when_a_service_is_made_then_its_ports_are_beyond_them(
    tmp_path: Path, told: str, chosen: tuple[int, int, int]
) -> None:
    (tmp_path / "services" / "a").mkdir(parents=True)
    (tmp_path / "services" / "a" / "pyproject.toml").write_text(TOLD.format(told))
    free = _free_ports(tmp_path)
    assert free == dict(zip(("serve", "serve_metrics", "work_metrics"), map(str, chosen), strict=True))


def test_what_is_kept_is_called_by_the_last_word() -> None:
    assert [Words(name).thing for name in ("coupons", "gift_cards", "loyalty", "access")] == [
        "coupon",
        "card",
        "loyalty",
        "access",
    ]
