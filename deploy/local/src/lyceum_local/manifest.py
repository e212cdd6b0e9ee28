"""The manifest of a backup. It is written last, so an incomplete backup has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lyceum_local.errors import BackupUnusable

FILE = "manifest.json"
FORMAT = "lyceum-backup"
VERSION = 1
DATABASE = "database.dump"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was saved, when (UTC, ISO 8601) and by which versions."""

    made_at: str
    prefix: str
    postgres: str
    migrations: dict[str, str]
    """The newest migration of each service that is in the dump."""
    files: dict[str, Entry]
    format: str = FORMAT
    version: int = VERSION


def entries(folder: Path) -> dict[str, Entry]:
    """Every file below `folder` except the manifest, by its relative path. Reads all of them."""
    return {str(file.relative_to(folder)): _entry(file) for file in sorted(_files(folder))}


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest. Blocking; not synced."""
    (folder / FILE).write_text(json.dumps(asdict(manifest), indent=1))


def read(folder: Path) -> Manifest:
    """The manifest of a backup, after checking that all files exist and are unchanged; raises BackupUnusable."""
    manifest = _parse(folder)
    for name, entry in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise BackupUnusable(folder, f"{name} is missing")
        if file.stat().st_size != entry.bytes or _entry(file) != entry:
            raise BackupUnusable(folder, f"{name} is not as it was written: its size or SHA-256 differs")
    if DATABASE not in manifest.files:
        raise BackupUnusable(folder, f"its manifest names no {DATABASE}")
    return manifest


def _parse(folder: Path) -> Manifest:
    file = folder / FILE
    if not file.is_file():
        raise BackupUnusable(folder, f"it has no {FILE}: it is no backup, or was never finished")
    try:
        said = json.loads(file.read_text())
        if (said["format"], said["version"]) != (FORMAT, VERSION):
            raise BackupUnusable(
                folder, f"it is of the kind {said['format']!r} {said['version']}, not {FORMAT} {VERSION}"
            )
        return Manifest(**{**said, "files": {name: Entry(**entry) for name, entry in said["files"].items()}})
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise BackupUnusable(folder, f"{FILE} cannot be read ({type(failure).__name__})") from failure


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and file.name != FILE)


def _entry(file: Path) -> Entry:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Entry(size, digest.hexdigest())
