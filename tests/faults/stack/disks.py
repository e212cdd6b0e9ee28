"""Disks whose power can be cut: ext4 in a file, shut down without a flush, and mounted again in the state after the
cut."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.keeper import until

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
SIZE_BYTES = 2 << 30
TOOL_S = 60.0
RELEASE_S = 20.0


class Disk:
    """A separate disk below `folder`, mounted at `home`. The file is sparse: it takes only the space of written data.
    Needs root."""

    def __init__(self, folder: Path, name: str) -> None:
        self._image, self.home = folder / f"{name}.img", folder / name
        with self._image.open("wb") as image:
            image.truncate(SIZE_BYTES)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", str(self._image))
        self.home.mkdir()
        self.mount()

    def mount(self) -> None:
        """Mount the disk; after a cut the file system first recovers."""
        run("mount", "-o", "loop", str(self._image), str(self.home))

    def unmount(self) -> None:
        """Unmount the disk. Processes with open files on it must be ending; waits up to `RELEASE_S` for them."""
        busy = ["umount", str(self.home)]
        until(lambda: subprocess.run(busy, capture_output=True, timeout=TOOL_S, check=False).returncode == 0, RELEASE_S)
        if self.home.is_mount():
            run(*busy)

    @contextmanager
    def filled(self) -> Iterator[None]:
        """While inside, no byte more fits on the disk, whoever asks: the part reserved for root is taken, too."""
        filler = self.home / "filler"
        try:
            with filler.open("wb") as file, suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size + max(self._free(), 4096))
            yield
        finally:
            filler.unlink()

    def _free(self) -> int:
        told = os.statvfs(self.home)
        return told.f_bfree * told.f_frsize // 2

    def cut_power(self) -> None:
        """From now on nothing reaches the disk, not even earlier writes that are not on it yet."""
        home = os.open(self.home, os.O_RDONLY)
        try:
            fcntl.ioctl(home, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(home)


def run(*command: str) -> None:
    """Run a tool that must succeed; blocks for at most `TOOL_S`."""
    subprocess.run(command, check=True, capture_output=True, timeout=TOOL_S)


def to_be_had() -> bool:
    """Whether this machine allows mounting a file and cutting its power."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            disk = Disk(Path(folder), "trial")
        except (OSError, subprocess.SubprocessError):
            return False
        try:
            disk.cut_power()
        except OSError:
            return False
        finally:
            disk.unmount()
    return True
