"""Generates the gateway's OpenAPI 3 document with a pinned version of protoc-gen-openapi."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from lyceum_generate.openapi_details import Examples, with_details
from lyceum_generate.openapi_page import page
from lyceum_generate.workspace import TIMEOUT_S, run, workspace

MODULE = "github.com/google/gnostic/cmd/protoc-gen-openapi@v0.7.1"
INTERNAL = ("consistency",)
PAGE = "api.html"
EXAMPLES = "examples.yaml"


class GoMissing(Exception):
    """Go is missing. The plugin is a Go program: install Go 1.22 or newer, or leave the document as it is."""


def generate_openapi(protos: Path, descriptors: Path, target: Path, cache: Path) -> None:
    """Write the document of every public service, and beside it the page for people. Raises `GoMissing`."""
    plugin = _plugin(cache)
    with workspace(protos) as root:
        source = root / "lyceum_protos"
        files = sorted(str(path.relative_to(source)) for path in source.rglob("*.proto") if path.stem not in INTERNAL)
        out = root / "out"
        out.mkdir()
        mapping = ",".join(f"M{file}=lyceum/{Path(file).stem}" for file in files)
        options = f"{mapping},title=Lyceum,version=1,naming=proto,fq_schema_naming=true,default_response=true"
        run(
            [
                sys.executable,
                "-m",
                "grpc_tools.protoc",
                f"-I{source}",
                f"-I{root / 'third_party'}",
                f"--plugin=protoc-gen-openapi={plugin}",
                f"--openapi_out={options}:{out}",
                *files,
            ],
            root,
        )
        document = with_details((out / "openapi.yaml").read_text(), descriptors, _examples(protos))
        target.write_text(document, encoding="utf-8")
        target.with_name(PAGE).write_text(page(yaml.safe_load(document)), encoding="utf-8")


def _examples(protos: Path) -> Examples:
    found: Examples = yaml.safe_load((protos.parent / EXAMPLES).read_text(encoding="utf-8"))
    return found


def _plugin(cache: Path) -> Path:
    folder = cache / MODULE.rsplit("@", 1)[1]
    plugin = (folder / "protoc-gen-openapi").resolve()
    if not plugin.exists():
        if shutil.which("go") is None:
            raise GoMissing(f"{MODULE} needs Go to build")
        environment = {**os.environ, "GOBIN": str(folder.resolve()), "GOFLAGS": "-mod=mod"}
        subprocess.run(["go", "install", MODULE], env=environment, check=True, timeout=TIMEOUT_S)
    return plugin
