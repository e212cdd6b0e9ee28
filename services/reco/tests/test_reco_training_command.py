"""What `reco export` and `reco train` answer where something is wrong: one sentence on stderr, and status 1."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reco.training import command, java, refusals
from reco.training.refusals import TrainingRefused

Shown = pytest.CaptureFixture[str]


def refused(main: Callable[[Sequence[str]], int], arguments: list[str], shown: Shown) -> str:
    """The one sentence."""
    assert main(arguments) == 1
    out, sentence = shown.readouterr()
    assert out == ""
    assert sentence.endswith("\n") and sentence.count("\n") == 1
    return sentence


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the service's own environment, whatever this one has."""

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(refusals, "import_module", absent)


@pytest.mark.usefixtures("nothing_installed")
def test_given_an_environment_without_the_packages_when_asked_then_it_says_where_they_are(
    tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    sentences = [
        refused(command.export, ["--to", str(tmp_path / "export")], capsys),
        refused(command.train, ["--engine", "lightfm"], capsys),
        refused(command.train, ["--engine", "spark", "--from", str(tmp_path), "--to", str(tmp_path / "f")], capsys),
    ]
    assert all("which is not installed here" in one and "training.sh" in one for one in sentences)
    assert list(tmp_path.iterdir()) == []


def test_given_no_database_when_asked_then_the_missing_setting_is_named(
    tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert "set DATABASE_URL" in refused(command.export, ["--to", str(tmp_path / "export")], capsys)
    assert "set DATABASE_URL" in refused(command.train, ["--engine", "lightfm"], capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--engine"),
        (["--engine", "abacus"], "abacus"),
        (["--engine", "lightfm", "--dimensions", "0"], "must be 1 to 256"),
        (["--engine", "lightfm", "--rounds", "1001"], "must be 1 to 1000"),
        (["--engine", "lightfm", "--max-minutes", "soon"], "soon"),
        (["--engine", "spark", "--spark-memory", "much"], "as 4g or 512m"),
    ],
)
def test_given_a_wrong_argument_when_asked_then_it_is_refused_before_anything_is_done(
    arguments: list[str], sentence: str, capsys: Shown
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.train(arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def told(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Java that says `text`."""
    home = folder / "java"
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write({text!r})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(home))
    return home


@pytest.mark.parametrize("version", ["17.0.15", "21"])
def test_given_a_java_that_fits_when_sought_then_its_folder_is_found(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = told(tmp_path, f'openjdk version "{version}" 2025-04-15\n', monkeypatch)
    assert java.java_home() == home


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('openjdk version "25" 2025-09-16\n', "is version 25"),
        ('java version "1.8.0_392"\n', "is version 1"),
        ("no java at all\n", "does not run"),
    ],
)
def test_given_another_java_when_sought_then_one_sentence_says_what_was_found_and_what_is_needed(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tmp_path, text, monkeypatch)
    with pytest.raises(TrainingRefused, match=f"version 17 to 21, and .*{sentence}"):
        java.java_home()


def test_given_no_java_when_sought_then_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainingRefused, match="none was found"):
        java.java_home()
