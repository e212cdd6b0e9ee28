"""What a build is told, and what is said where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lyceum_images import building, engine, proxied
from lyceum_images.__main__ import main
from lyceum_images.errors import CommandFailed, ImagesError, NoEngine, NoSuchImage, NotBuilt
from lyceum_images.found import chosen, images
from lyceum_images.standing import ComposeStack
from lyceum_images.versions import built_version, version


def test_given_no_engine_when_images_are_built_then_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoEngine):
        engine.builder()
    monkeypatch.setattr("sys.argv", ["lyceum_images", "build", "--version", "1"])
    assert main() == 1
    assert "no container engine answers that can build images: start Docker" in capsys.readouterr().err


def test_given_an_unknown_name_when_images_are_chosen_then_the_known_ones_are_named() -> None:
    with pytest.raises(NoSuchImage, match="no image bling: it has billing, catalog"):
        chosen("bling")
    assert [one.name for one in chosen("web,billing")] == ["web", "billing"]


@pytest.mark.parametrize("told", ["-x", "a b", "1.0+local", "v" * 129])
def test_given_what_cannot_be_a_tag_when_a_version_is_told_then_it_is_refused(told: str) -> None:
    with pytest.raises(ImagesError, match="cannot be the tag"):
        version(told)


def test_given_a_build_when_its_version_is_asked_then_it_is_that_of_the_build(tmp_path: Path) -> None:
    building.keep([building.Row("lyceum/a:7", 10, 1.0, "b")], "7", tmp_path)
    building.keep([building.Row("lyceum/c:7", 20, 2.0, "b")], "7", tmp_path)
    assert built_version("", tmp_path) == "7" and built_version("8", tmp_path) == "8"
    kept = json.loads((tmp_path / "build/images.json").read_text(encoding="utf-8"))
    assert [one["image"] for one in kept["images"]] == ["lyceum/a:7", "lyceum/c:7"]


def test_given_settings_when_arguments_are_made_then_each_dockerfile_gets_those_it_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVOY_IMAGE", "example.org/envoy:1")
    of_gateway = list(building._arguments(images()["gateway"], "7", "abc", Path()))
    assert "--build-arg=ENVOY_IMAGE=example.org/envoy:1" in of_gateway
    assert set(building._arguments(images()["web"], "7", "abc", Path())) == {
        "--build-arg=VERSION=7",
        "--build-arg=REVISION=abc",
    }


def test_given_dockerfiles_of_one_size_when_they_are_built_then_each_build_reads_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BuildKit took catalog's for billing's: one name, one size, made by a clone in one moment."""
    asked: list[tuple[list[str], str]] = []

    def run(command: list[str], *, given: str = "", **_: object) -> str:
        asked.append((list(command), given))
        return "7"

    monkeypatch.setattr(engine, "run", run)
    for name in ("billing", "catalog"):
        building.build(images()[name], "7", "abc", "docker")
        [(command, read), _] = asked[-2:]
        assert command[command.index("--file") + 1] == "-"
        assert f'title="lyceum-{name}"' in read


def test_given_a_proxy_when_secrets_are_made_then_paths_of_the_machine_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, bundle = tmp_path / "pip.conf", tmp_path / "ca.crt"
    told.write_text(
        "[global]\nindex-url = https://packages.example.org\ncert = /machine/ca.crt\nfind-links = /machine\n"
    )
    bundle.write_text("certificates")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(told))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    with proxied.secrets() as secrets:
        assert secrets["ca"] == bundle
        kept = secrets["pip"].read_text(encoding="utf-8").splitlines()
        assert kept == ["[global]", "index-url = https://packages.example.org", "cert = /run/secrets/ca"]
        assert secrets["pip"].stat().st_mode & 0o077 == 0
    assert not secrets["pip"].exists()


def test_given_a_command_that_fails_when_it_is_run_then_its_words_are_kept() -> None:
    with pytest.raises(CommandFailed, match="ended with 3: no such thing"):
        engine.run(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_given_no_images_when_a_stack_starts_then_the_missing_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "inspected", lambda reference, kind="image": None)
    with pytest.raises(NotBuilt, match=r"not built yet: lyceum/billing:7, .*run `make images`"):
        ComposeStack(tmp_path, "7").up()


def test_given_a_folder_when_passwords_are_made_twice_then_they_stay_and_others_cannot_enter(tmp_path: Path) -> None:
    stack = ComposeStack(tmp_path / "secrets", "7")
    stack.make_secrets()
    before = stack.password_of("billing")
    stack.make_secrets()
    assert stack.password_of("billing") == before and len(before) >= 32
    assert stack.folder.stat().st_mode & 0o077 == 0
    assert (stack.folder / "billing_database").read_text(encoding="utf-8").startswith("[billing]\nhost=postgres\n")
