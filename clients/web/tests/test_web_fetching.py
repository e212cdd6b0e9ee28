"""Fetching the chart library: pinned, or not at all; and never in the way of `make setup`."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

WEB = Path(__file__).parents[1]
FETCH_S = 60
TOOLS = ("bash", "sha256sum", "cut", "dirname", "mkdir", "mktemp", "cp", "mv", "rm", "head", "tr", "timeout", "env")


def _fetch(cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "LYCEUM_CACHE_DIR": str(cache), **variables}
    return subprocess.run(
        ["bash", str(WEB / "fetch.sh")], env=told, capture_output=True, text=True, timeout=FETCH_S, check=False
    )


def test_what_is_fetched_is_pinned_by_its_sum_and_no_registry_is_named() -> None:
    pins = json.loads((WEB / "package-lock.json").read_text())["packages"]
    wanted = json.loads((WEB / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert pins[f"node_modules/{name}"]["version"] == version
    assert all(one["integrity"].startswith("sha512-") for path, one in pins.items() if path)
    for file in (*WEB.glob("*.json"), WEB / "fetch.sh", WEB / ".npmrc", WEB / "Dockerfile"):
        assert not re.search(r"https?://(?!127\.0\.0\.1:\{)|registry\.", file.read_text()), file
    assert "ignore-scripts=true" in (WEB / ".npmrc").read_text()


def test_without_npm_it_says_so_and_nothing_fails(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or "")
    done = _fetch(tmp_path / "cache", PATH=str(tools))
    assert (done.returncode, done.stdout) == (0, "") and "npm is not installed" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def other_registry() -> Iterator[str]:
    """Has all names and versions, and other bytes."""
    pins = json.loads((WEB / "package-lock.json").read_text())["packages"]
    versions = {path.removeprefix("node_modules/"): one["version"] for path, one in pins.items() if path}

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").split("/")[0]
            tarball = f"http://{self.headers['host']}/{name}/-/{name}-{versions[name]}.tgz"
            about = {"name": name, "version": versions[name], "dist": {"tarball": tarball}}
            found = {"name": name, "dist-tags": {"latest": versions[name]}, "versions": {versions[name]: about}}
            body = b"not the tarball" if self.path.endswith(".tgz") else json.dumps(found).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so the base class calls it
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, so its check of sums was not tried")
def test_other_bytes_than_the_pinned_ones_are_refused_and_none_is_kept(tmp_path: Path, other_registry: str) -> None:
    done = _fetch(tmp_path / "cache", npm_config_registry=other_registry, npm_config_cache=str(tmp_path / "npm"))
    assert (done.returncode, done.stdout) == (0, "") and "EINTEGRITY" in done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, so it was not tried without a registry")
def test_where_no_registry_answers_it_says_so_and_nothing_fails(tmp_path: Path) -> None:
    variables = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "npm")}
    done = _fetch(tmp_path / "cache", **variables)
    assert (done.returncode, done.stdout) == (0, "") and "npm could not fetch it" in done.stderr
    assert list((tmp_path / "cache").iterdir()) == []
