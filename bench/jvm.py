"""The peers on the JVM: compiled by Maven from bench/peers/jvm, once, into a cache outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from bench.environments import ROOT
from lyceum_local.errors import JavaMissing
from lyceum_local.java import find_java
from lyceum_local.settings import StackSettings

PROJECT = ROOT / "bench" / "peers" / "jvm"
SCHEMA_FILE = ROOT / "schemas" / "avro" / "catalog" / "interaction_viewed.v1.0.avsc"
PEERS = ("jvm-loop", "kafka-streams", "kafka-connect")
BUILD_TIMEOUT_S = 900
OPTIONS = ("-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
"""Of the collectors, this one is the fastest here."""
SEARCH_PATH = "-csearch_path="


class BuildFailed(Exception):
    """Maven could not fetch or compile the peers; says why."""


def missing() -> str | None:
    """Why the peers cannot run on this machine, None if they can."""
    if shutil.which("mvn") is None:
        return "Maven (mvn) was not found"
    if shutil.which("javac") is None:
        return "a Java compiler (javac) was not found"
    try:
        find_java()
    except JavaMissing as none:
        return str(none)
    return None


def built(cache_dir: Path | None = None) -> Path:
    """The folder with `classes` and `jars`; the first call fetches and compiles, half a minute. Raises BuildFailed."""
    folder = (cache_dir or StackSettings().cache_dir) / f"bench-jvm-{_sources_sha256()[:16]}"
    if not (folder / "complete").exists():
        print("bench: fetching and compiling the peers on the JVM, once", file=sys.stderr, flush=True)
        _build(folder)
        (folder / "complete").touch()
    return folder


def _sources_sha256() -> str:
    files = [PROJECT / "pom.xml", *sorted((PROJECT / "src").rglob("*.java"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _build(folder: Path) -> None:
    command = ["mvn", "-q", "-B", "--strict-checksums", "-f", str(PROJECT / "pom.xml"), f"-Dbench.target={folder}"]
    command += [f"-DoutputDirectory={folder / 'jars'}", "-DincludeScope=runtime"]
    try:
        subprocess.run(
            [*command, "compiler:compile", "dependency:copy-dependencies"],
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as failed:
        raise BuildFailed((failed.stdout + failed.stderr)[-2000:]) from failed
    except subprocess.TimeoutExpired as late:
        raise BuildFailed(f"nothing within {BUILD_TIMEOUT_S} s") from late


def command(peer: str, url: str, bootstrap: str, topic: str, events: int, scratch: str) -> list[str]:
    """The command that runs a peer to its end and prints a line like bench.stopwatch; its own files go to the folder
    `scratch`. Blocks while it is built."""
    folder = built()
    told = [peer, jdbc_url(url), bootstrap, topic, str(events), str(SCHEMA_FILE)]
    options = [*OPTIONS, f"-Djava.io.tmpdir={scratch}", "-cp", f"{folder / 'classes'}:{folder / 'jars'}/*"]
    return [str(find_java()), *options, "lyceum.bench.Main", *told]


def environment(url: str) -> Mapping[str, str]:
    """The process environment of a peer: the account of `url` is here, where the list of processes does not show it."""
    parts = conninfo_to_dict(url)
    return {**os.environ, "BENCH_DB_USER": str(parts["user"]), "BENCH_DB_PASSWORD": str(parts.get("password", ""))}


def jdbc_url(url: str) -> str:
    """What pgjdbc takes, without the account, for a URL of `bench.running.fresh_schema`."""
    parts = conninfo_to_dict(url)
    schema = str(parts["options"]).removeprefix(SEARCH_PATH)
    return f"jdbc:postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}?currentSchema={schema}"
