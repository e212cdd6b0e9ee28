"""A service's pool over TLS, as libpq's own variables ask for it: nothing of it is in the code.

The PostgreSQL of these tests was built without TLS. So a proxy before it ends TLS as the server would: it answers
libpq's request for it, shows a certificate, and hands on what comes. What is proved is this process's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from lyceum_local.authority import Authority
from servicekit import database

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
TAKEN, CHUNK_BYTES = b"S", 65536


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "authority")
    made.issue(tmp_path / "server", "postgres", hosts=["127.0.0.1"])
    return made


@pytest.fixture
async def served(postgres_url: str, authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a server that takes TLS connections alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server" / "tls.crt", tmp_path / "server" / "tls.key")
    behind = urlsplit(postgres_url)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return  # plain text
            writer.write(TAKEN)
            await writer.start_tls(context)
            inner, outer = await asyncio.open_connection(behind.hostname, behind.port)
            with contextlib.closing(outer):
                await asyncio.wait(
                    [asyncio.create_task(pumped(reader, outer)), asyncio.create_task(pumped(inner, writer))],
                    return_when=asyncio.FIRST_COMPLETED,
                )

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield urlunsplit(behind._replace(netloc=behind.netloc.replace(f":{behind.port}", f":{port}")))


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(CHUNK_BYTES):
            writer.write(part)
            await writer.drain()


def verifying(monkeypatch: pytest.MonkeyPatch, root: Path, mode: str = "verify-full") -> None:
    monkeypatch.setenv("PGSSLMODE", mode)
    monkeypatch.setenv("PGSSLROOTCERT", str(root))


async def test_a_pool_that_verifies_the_server_works(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verifying(monkeypatch, tmp_path / "authority" / "ca.crt")
    async with database.make_pool(served, 2) as pool, pool.connection() as conn:
        assert conn.pgconn.ssl_in_use
        assert await (await conn.execute("SELECT 1")).fetchone() == (1,)


async def test_a_relays_own_connection_verifies_too(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verifying(monkeypatch, tmp_path / "authority" / "ca.crt")
    async with await database.connect(served) as conn:
        assert conn.pgconn.ssl_in_use


async def test_a_server_of_another_authority_is_refused(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Authority(tmp_path / "another")
    verifying(monkeypatch, tmp_path / "another" / "ca.crt")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        await database.connect(served)


async def test_a_server_under_another_name_is_refused(
    served: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verifying(monkeypatch, tmp_path / "authority" / "ca.crt")
    with pytest.raises(psycopg.OperationalError, match='does not match host name "localhost"'):
        await database.connect(served.replace("127.0.0.1", "localhost"))


async def test_a_server_without_tls_is_refused(
    postgres_url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verifying(monkeypatch, tmp_path / "authority" / "ca.crt")
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
        await database.connect(postgres_url)
