"""Generates Python stubs and the gateway's descriptor set with the pinned protoc."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from lyceum_generate.workspace import ERRORS, program, run, workspace


def generate_stubs(protos: Path, target: Path) -> None:
    """Replace `target` (the `lyceum` package) with stubs of all protos below `protos`."""
    with workspace(protos) as root:
        out = root / "out"
        out.mkdir()
        run(
            [
                *_protoc(root),
                f"--python_out={out}",
                f"--mypy_out=quiet:{out}",
                f"--grpc_python_out={out}",
                f"--mypy_grpc_out=quiet:{out}",
                *_files(root),
            ],
            root,
        )
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(out / "lyceum", target)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text('"""Generated from schemas/proto; see tools/generate."""\n')
    (target / "py.typed").touch()


def generate_descriptors(protos: Path, target: Path) -> None:
    """Write the descriptor set for Envoy's transcoder, including the messages of error details."""
    with workspace(protos) as root:
        out = f"--descriptor_set_out={target.resolve()}"
        run([*_protoc(root), "--include_imports", out, *_files(root), *ERRORS], root)


def generate_described(protos: Path) -> bytes:
    """The descriptor set with the comments of the protos."""
    with workspace(protos) as root:
        made = root / "described.binpb"
        run([*_protoc(root), "--include_source_info", f"--descriptor_set_out={made}", *_files(root)], root)
        return made.read_bytes()


def _protoc(root: Path) -> list[str]:
    plugins = [f"--plugin=protoc-gen-{name}={program(f'protoc-gen-{name}')}" for name in ("mypy", "mypy_grpc")]
    return [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{root / 'lyceum_protos'}",
        f"-I{root / 'third_party'}",
        *plugins,
    ]


def _files(root: Path) -> list[str]:
    source = root / "lyceum_protos"
    return sorted(str(path.relative_to(source)) for path in source.rglob("*.proto"))
