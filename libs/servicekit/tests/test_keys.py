"""The first key of a folder is made once, whoever comes at the same time."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from servicekit.keys import key_file

AT_ONCE = 16


def test_all_who_start_at_once_get_the_one_key_also_with_equal_process_ids(tmp_path: Path) -> None:
    """Containers that share a volume are all process 1, as these threads are all one process."""
    together = Barrier(AT_ONCE, timeout=10)

    def make() -> bytes:
        together.wait()
        return secrets.token_bytes(32)

    def start(_: int) -> bytes:
        return key_file(tmp_path, "kek.pem", make)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        keys = set(pool.map(start, range(AT_ONCE)))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["kek.pem"]
    assert tmp_path.joinpath("kek.pem").stat().st_mode & 0o777 == 0o600
