"""The README's example works as it stands: written by the store, sent by its relay, folded by its worker."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import House
from reading import read_all
from relaying import eventually

from eventfold.errors import WrongState
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

README = Path(__file__).parents[1] / "README.md"


def lines_of(source: str) -> int:
    """How many lines are written, without what is imported."""
    imports = (node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom)))
    imported = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return sum(1 for number, line in enumerate(source.splitlines(), 1) if line and number not in imported)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    assert lines_of(blocks[0]) <= 60, "it is to be read at a glance"
    path = tmp_path / "readme_example.py"
    path.write_text(blocks[0], encoding="utf-8")
    return path


@pytest.fixture
def example(script: Path) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("readme_example", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["readme_example"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["readme_example"]


@contextlib.contextmanager
def working(script: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, str(script), *arguments], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_the_example_folds_what_it_records(house: House, brokers: Brokers, script: Path, example: Any) -> None:
    await prepare_topics(brokers, [example.LENT.topic], partitions=4)
    async with house.pool.connection() as conn:
        await conn.execute(example.READERS.create_sql)
    await example.lend(house.pool, "emma", "ada")
    await example.lend(house.pool, "ulysses", "ada")
    assert (await example.lend(house.pool, "emma", "ada")).position is None
    with pytest.raises(WrongState):
        await example.lend(house.pool, "emma", "grace")
    relaying = asyncio.create_task(example.make_relay(house.url, brokers).run())
    try:
        with working(script, house.url, brokers.bootstrap) as worker:

            async def folded() -> bool:
                assert worker.poll() is None
                return await house.rows("SELECT reader, books FROM reader") == [("ada", 2)]

            await eventually(folded)
        said = dict((await read_all(brokers, example.LENT.topic))[0].headers)
        assert (said["ce_source"], said["content-type"]) == (b"/example/library", b"application/json")
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
