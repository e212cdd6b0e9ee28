"""What a build behind a package proxy needs of this machine. It is given as secrets and enters no layer.

`PIP_CONFIG_FILE` or the machine's pip.conf, `NPM_CONFIG_GLOBALCONFIG` or the machine's npmrc, and the certificates of
`SSL_CERT_FILE` or the machine's own bundle.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

CERTIFICATES = Path("/run/secrets/ca")
"""Where a build finds the certificates."""
_PIP = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
_NPM = ("/etc/npmrc", "~/.npmrc")
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_LOCAL_TO_THE_MACHINE = ("cert", "find-links", "cache-dir", "client-cert")


@contextmanager
def secrets() -> Iterator[Mapping[str, Path]]:
    """The files by the name of their secret: `pip`, `npm`, and `ca` if there is one. They last as long as the block."""
    with TemporaryDirectory(prefix="lyceum-build-") as folder:
        bundle = _first(os.environ.get("SSL_CERT_FILE"), _BUNDLES)
        found = {"pip": Path(folder) / "pip.conf", "npm": Path(folder) / "npmrc"}
        _write(found["pip"], _pip_text(_first(os.environ.get("PIP_CONFIG_FILE"), _PIP), bundle is not None))
        _write(found["npm"], _npm_text(_first(os.environ.get("NPM_CONFIG_GLOBALCONFIG"), _NPM), bundle is not None))
        yield found | ({"ca": bundle} if bundle else {})


def _first(told: str | None, usual: tuple[str, ...]) -> Path | None:
    candidates = (Path(one).expanduser() for one in ([told] if told else usual))
    return next((one for one in candidates if one.is_file()), None)


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _pip_text(file: Path | None, certified: bool) -> str:
    """The machine's pip.conf without paths that only the machine has, with the certificates as a build sees them."""
    told = configparser.RawConfigParser()
    told.read([file] if file else [])
    lines = ["[global]"]
    if told.has_section("global"):
        kept = (item for item in told.items("global") if item[0] not in _LOCAL_TO_THE_MACHINE)
        lines += [f"{name} = {value}" for name, value in kept]
    if index := os.environ.get("PIP_INDEX_URL"):
        lines = [line for line in lines if not line.startswith("index-url")] + [f"index-url = {index}"]
    return "\n".join([*lines, *([f"cert = {CERTIFICATES}"] if certified else [])]) + "\n"


def _npm_text(file: Path | None, certified: bool) -> str:
    told = file.read_text(encoding="utf-8").splitlines() if file else []
    kept = [line for line in told if not line.startswith(("cafile", "cache", "prefix"))]
    return "\n".join([*kept, *([f"cafile={CERTIFICATES}"] if certified else [])]) + "\n"
