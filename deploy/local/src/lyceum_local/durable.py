"""Having files reach the disk, so that a power loss finds them whole or absent."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have a file or folder reach the disk. Blocking."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """The folder with all that is in it. Blocking."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def rename(fresh: Path, final: Path) -> None:
    """Give what is on disk already its name there too. Blocking."""
    fresh.rename(final)
    sync(final.parent)
