"""gRPC between services over mutual TLS: who is refused, and that renewed certificates are taken up while both run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from edging import SECRET, serving

from eventfold.certificates import Renewed
from eventfold.publish.outgoing import Target
from eventfold.reading.consistency import Token
from lyceum.consistency.v1 import consistency_pb2, consistency_pb2_grpc
from lyceum_local.authority import Authority
from servicekit.peers import own_channel, peer_channel
from servicekit.probe import complaint
from servicekit.sealed_tokens import sealed

REQUEST = consistency_pb2.ResolveRequest(token=sealed(Token("identity", 1), SECRET))
OWN_POOL = [("grpc.use_local_subchannel_pool", 1)]
"""gRPC shares connections of one process to one address; a stranger must not come in over another's."""


class House:
    """Two services of one authority, in `server` and `client`, and a folder of certificates of `another`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.another = Authority(folder / "ours"), Authority(folder / "theirs")
        self.issue(self.authority, "server", "client")
        self.issue(self.another, "stranger")

    def issue(self, authority: Authority, *names: str, **how: Any) -> None:
        for name in names:
            authority.issue(self.folder / name, name, **how)

    def tls(self, name: str) -> Renewed:
        return Renewed(self.folder / name)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def found(_: Token) -> tuple[Target, ...]:
    return (Target("topic", 0, 7),)


@contextlib.asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    async with serving(found, tls=house.tls("server")) as target:
        yield target


async def ask(channel: grpc.aio.Channel) -> int:
    stub = consistency_pb2_grpc.ConsistencyServiceStub(channel)
    answer = await stub.Resolve(REQUEST, timeout=3)
    return int(answer.targets[0].sequence)


def port_of(target: str) -> int:
    return int(target.rpartition(":")[2])


async def refused(channel: grpc.aio.Channel) -> str:
    async with channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await ask(channel)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    return str(failure.value.details())


async def test_two_services_of_one_authority_understand_each_other(house: House) -> None:
    async with served(house) as target, peer_channel(target, house.tls("client")) as channel:
        assert await ask(channel) == 7
        assert await ask(channel) == 7


async def test_a_client_in_plain_text_is_refused(house: House) -> None:
    async with served(house) as target:
        await refused(peer_channel(target))


async def test_a_client_without_a_certificate_is_refused(house: House) -> None:
    async with served(house) as target:
        only_checks = grpc.ssl_channel_credentials(house.tls("client").pem.authority)
        await refused(grpc.aio.secure_channel(target, only_checks, options=OWN_POOL))


async def test_a_client_of_another_authority_is_refused_though_it_trusts_the_server(house: House) -> None:
    async with served(house) as target:
        theirs, ours = house.tls("stranger").pem, house.tls("client").pem
        credentials = grpc.ssl_channel_credentials(ours.authority, theirs.key, theirs.certificate)
        await refused(grpc.aio.secure_channel(target, credentials, options=OWN_POOL))


async def test_an_expired_client_is_refused(house: House) -> None:
    house.issue(house.authority, "client", valid_for=timedelta(seconds=-1))
    async with served(house) as target:
        await refused(peer_channel(target, house.tls("client")))


async def test_a_server_of_another_authority_is_not_asked(house: House) -> None:
    house.issue(house.another, "server")
    async with served(house) as target:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(peer_channel(target, house.tls("client")))


async def test_a_server_with_the_name_of_another_host_is_not_asked(house: House) -> None:
    house.issue(house.authority, "server", hosts=["identity.example.org"])
    async with served(house) as target:
        assert "identity.example.org" not in await refused(peer_channel(target, house.tls("client")))
        async with peer_channel(target, house.tls("client"), "identity.example.org") as channel:
            assert await ask(channel) == 7


async def test_a_server_that_listens_everywhere_reaches_itself_by_the_name_of_its_certificate(house: House) -> None:
    house.issue(house.authority, "server", hosts=["identity.example.org"])
    everywhere = "0.0.0.0"  # noqa: S104 - not bound
    async with served(house) as target, own_channel(port_of(target), everywhere, house.tls("server")) as channel:
        assert await ask(channel) == 7


async def test_the_probe_of_a_container_asks_its_own_server_over_tls(house: House) -> None:
    """Without a health port, it presents the server's certificate, which is for a host name that is not loopback."""
    house.issue(house.authority, "server", hosts=["identity.example.org"])
    own = str(house.folder / "server")
    async with served(house) as target:
        environment = {"GRPC_HOST": "0.0.0.0", "GRPC_PORT": str(port_of(target))}  # noqa: S104 - not bound
        # This server has no health service: that it says so shows that it was reached.
        assert (
            await asyncio.to_thread(complaint, environment | {"TLS_DIR": own}) == "gRPC health answered UNIMPLEMENTED"
        )
        assert await asyncio.to_thread(complaint, environment) == "gRPC health answered UNAVAILABLE"
        (house.folder / "server" / "tls.key").unlink()
        said = await asyncio.to_thread(complaint, environment | {"TLS_DIR": own})
    assert said == f"the certificate cannot be used: {own}/tls.key No such file or directory"


async def test_renewed_certificates_are_taken_up_by_both_ends_without_a_restart(house: House) -> None:
    """Given a server and a channel that has called it, when both get certificates of another authority, then calls on
    the same channel succeed, and who still has the old certificate is refused."""
    async with served(house) as target, peer_channel(target, house.tls("client")) as channel:
        assert await ask(channel) == 7
        old = house.tls("client").pem
        house.issue(house.another, "server", "client")
        assert await ask(channel) == 7
        credentials = grpc.ssl_channel_credentials(old.authority, old.key, old.certificate)
        await refused(grpc.aio.secure_channel(target, credentials, options=OWN_POOL))


async def test_a_call_in_flight_outlives_the_renewal(house: House) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Token) -> tuple[Target, ...]:
        asked.set()
        await goes_on.wait()
        return (Target("topic", 0, 8),)

    async with serving(slow, tls=house.tls("server")) as target, peer_channel(target, house.tls("client")) as channel:
        first = asyncio.create_task(ask(channel))
        await asked.wait()
        house.issue(house.authority, "server", "client")
        second = asyncio.create_task(ask(channel))
        await asyncio.sleep(0.2)
        goes_on.set()
        assert await asyncio.gather(first, second) == [8, 8]


async def test_at_a_half_written_renewal_both_ends_serve_on(house: House) -> None:
    async with served(house) as target, peer_channel(target, house.tls("client")) as channel:
        for name in ("server", "client"):
            (house.folder / name / "tls.key").write_bytes(b"half")
        assert await ask(channel) == 7
        house.issue(house.authority, "another client")
        async with peer_channel(target, house.tls("another client")) as later:
            assert await ask(later) == 7


async def test_streams_are_refused_before_anything_is_sent(house: House) -> None:
    async with peer_channel("127.0.0.1:1", house.tls("client")) as channel:
        with pytest.raises(NotImplementedError, match="unary"):
            channel.unary_stream("/a/B")(cast(Any, None))
