"""Writes files through to the disk, so that they are complete or absent after a power loss."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Write a file or folder through to the disk. Blocking."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """The same for the folder and everything in it. Blocking."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def rename(fresh: Path, final: Path) -> None:
    """Rename a file or folder that is on disk already, and write the new name through to the disk. Blocking."""
    fresh.rename(final)
    sync(final.parent)
