"""Finds the Java that Spark runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from reco.training.refusals import TrainingRefused

LEAST, MOST = 17, 21
"""Spark 4.0 runs on these; from 24 on the JDK lacks what Spark's libraries call."""
ANSWERS_WITHIN_S: Final = 30
_MAJOR: Final = re.compile(r'version "(\d+)')


def java_home() -> Path:
    """Its folder, from JAVA_HOME or the path. Raises `TrainingRefused` where there is none that fits."""
    told = os.environ.get("JAVA_HOME")
    java = str(Path(told) / "bin" / "java") if told else shutil.which("java")
    found = _major(java) if java else None
    if java is None or found is None or not LEAST <= found <= MOST:
        seen = f"{java} is version {found}" if found else f"{java} does not run" if java else "none was found"
        raise TrainingRefused(f"Spark needs a JDK or JRE of version {LEAST} to {MOST}, and {seen}: set JAVA_HOME")
    return Path(java).resolve().parents[1]


def _major(java: str) -> int | None:
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version = _MAJOR.search(done.stderr + done.stdout)
    return int(version[1]) if version else None
