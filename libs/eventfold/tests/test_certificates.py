"""The three files of a process's certificate: refused at the start if they are not whole, and renewed while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop
from prometheus_client import REGISTRY

from eventfold.certificates import FILES, Renewed, RenewedContext, read
from eventfold.errors import CertificateUnusable
from eventfold.publish.brokers import Brokers
from lyceum_local.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    authority.issue(tmp_path / "own", "own")
    return tmp_path / "own"


def sample(name: str, folder: Path) -> float:
    return REGISTRY.get_sample_value(name, {"folder": str(folder)}) or 0.0


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CertificateUnusable, match=f"{folder / name} No such file"):
        Renewed(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_half_written_file_is_named(folder: Path, name: str, kept: float) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CertificateUnusable, match=f"{folder / name} is not whole PEM") as refused:
        Renewed(folder)
    assert "PRIVATE" not in str(refused.value)


def test_the_key_of_another_certificate_is_refused(folder: Path, authority: Authority, tmp_path: Path) -> None:
    authority.issue(tmp_path / "other", "other")
    (folder / "tls.key").write_bytes((tmp_path / "other" / "tls.key").read_bytes())
    with pytest.raises(CertificateUnusable, match=r"tls\.key is not the key of tls\.crt"):
        Renewed(folder)


def test_unchanged_files_are_read_once(folder: Path) -> None:
    renewed = Renewed(folder)
    assert renewed.pem is renewed.pem and renewed.context is renewed.context
    assert "PRIVATE" not in repr(renewed.pem) and renewed.pem.host_names == ["localhost"]


def test_a_renewed_certificate_is_used_and_its_end_is_shown(folder: Path, authority: Authority) -> None:
    renewed = Renewed(folder)
    before, ends = renewed.pem, sample("lyceum_certificate_expires_timestamp_seconds", folder)
    authority.issue(folder, "again")
    assert renewed.pem.certificate == (folder / "tls.crt").read_bytes() != before.certificate
    assert sample("lyceum_certificate_expires_timestamp_seconds", folder) >= ends > 0


@pytest.mark.parametrize("name", FILES)
def test_at_a_renewal_that_is_not_whole_the_old_one_serves_on_and_the_log_says_so_once(
    folder: Path, authority: Authority, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    renewed = Renewed(folder)
    before, refused = renewed.pem, sample("lyceum_certificate_refused_total", folder)
    (folder / name).write_bytes(b"half")
    assert renewed.pem is before and renewed.pem is before
    [line] = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert "the one before serves on" in line and str(folder / name) in line
    assert sample("lyceum_certificate_refused_total", folder) == refused + 1
    authority.issue(folder, "whole again")
    assert renewed.pem.certificate == (folder / "tls.crt").read_bytes() != before.certificate


def test_files_that_are_away_for_a_while_change_nothing(folder: Path) -> None:
    renewed = Renewed(folder)
    before = renewed.pem
    moved = folder.rename(folder.with_name("away"))
    assert renewed.pem is before
    moved.rename(folder)
    assert renewed.pem.certificate == before.certificate


@contextlib.asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[int]:
    """A server on loopback that speaks mutual TLS with the certificate in `folder`; gives its port."""
    pem = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    pem.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    pem.verify_mode = ssl.CERT_REQUIRED

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=pem)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def greeting(port: int, context: ssl.SSLContext, name: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    with contextlib.closing(writer):
        return await asyncio.wait_for(reader.read(), 30)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_new_connections_use_the_renewed_files_and_forget_the_old_authority(
    folder: Path, tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Given one context for the life of a client, when both ends go over to another authority, then only the new one
    is trusted."""
    other = Authority(tmp_path / "other authority")
    other.issue(tmp_path / "theirs", "theirs")

    async def trial() -> None:
        context = RenewedContext.of(folder)
        async with listening(folder) as old, listening(tmp_path / "theirs") as new:
            assert await greeting(old, context) == b"hello"
            with pytest.raises(ssl.SSLCertVerificationError):
                await greeting(new, context)
            with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)mismatch"):
                await greeting(old, context, "kafka.example.org")
            other.issue(folder, "own")
            assert await greeting(new, context) == b"hello"
            with pytest.raises(ssl.SSLCertVerificationError):
                await greeting(old, context)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(trial())


def test_brokers_are_reached_in_plain_text_unless_there_is_a_folder(folder: Path) -> None:
    plain, over_tls = Brokers.at("one:1,two:2", ""), Brokers.at("one:1,two:2", str(folder))
    assert plain.client() == {"bootstrap_servers": "one:1,two:2"}
    assert plain.faust() == {"broker": ["kafka://one:1", "kafka://two:2"]}
    assert over_tls.client()["security_protocol"] == "SSL"
    assert over_tls.client()["ssl_context"] is over_tls.faust()["broker_credentials"].context is over_tls.context
    assert over_tls.context and over_tls.context.check_hostname
    assert over_tls == plain and str(over_tls) == "one:1,two:2" and "context" not in repr(over_tls)


def test_brokers_without_a_usable_certificate_are_refused(folder: Path) -> None:
    (folder / "ca.crt").unlink()
    with pytest.raises(CertificateUnusable, match=r"ca\.crt"):
        Brokers.at("one:1", str(folder))


def test_a_certificate_for_addresses_alone_has_no_host_names(folder: Path, authority: Authority) -> None:
    authority.issue(folder, "address only", hosts=["127.0.0.1"])
    assert read(folder).host_names == []
