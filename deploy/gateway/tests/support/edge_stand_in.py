"""A real Envoy before one server that stands in for all services."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.protobuf.any_pb2 import Any as Any_
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from joserfc import jwt
from joserfc.jwk import ECKey

from eventfold.certificates import Renewed
from lyceum.billing.v1 import billing_pb2, billing_pb2_grpc
from lyceum.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from lyceum_gateway import Gateway, render
from lyceum_gateway.services import SERVICES
from lyceum_local.ports import free_port
from servicekit.server import listen

ENVOY = Path(sysconfig.get_path("scripts")) / "envoy"
ISSUER, AUDIENCE = "https://issuer.test", "lyceum-test"
READY_S = 60.0
LOGGED_SOON = ("--file-flush-interval-msec", "100")  # of itself Envoy writes its logs every 10 s


@dataclass
class Recording(
    identity_pb2_grpc.IdentityServiceServicer,
    catalog_pb2_grpc.CatalogServiceServicer,
    billing_pb2_grpc.BillingServiceServicer,
    notifications_pb2_grpc.NotificationsServiceServicer,
):
    """Stands in for the services: answers and remembers what arrived."""

    key: ECKey
    requests: list[Any] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    happened: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    takes_s: float = 0.0
    """How long a list of contents takes."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def Register(self, request: Any, context: Any) -> identity_pb2.RegisterResponse:
        self.requests.append(request)
        self.metadata.update(context.invocation_metadata())
        await context.send_initial_metadata((("x-lyceum-token", "token-1"),))
        return identity_pb2.RegisterResponse(message="User registered successfully.")

    async def GetJwks(self, request: Any, context: Any) -> identity_pb2.GetJwksResponse:
        public = self.key.as_dict(private=False)
        known = {name: str(public[name]) for name in ("kty", "crv", "x", "y", "kid")}
        return identity_pb2.GetJwksResponse(keys=[identity_pb2.Jwk(**known, use="sig", alg="ES256")])

    async def GrantRole(self, request: Any, context: Any) -> identity_pb2.GrantRoleResponse:
        self.requests.append(request)
        return identity_pb2.GrantRoleResponse(member_id=request.member_id)

    async def ImportMembers(self, request: Any, context: Any) -> identity_pb2.ImportMembersResponse:
        self.requests.append(request)
        return identity_pb2.ImportMembersResponse()

    async def Publish(self, request: Any, context: Any) -> catalog_pb2.PublishResponse:
        self.requests.append(request)
        return catalog_pb2.PublishResponse(message="Content published successfully.")

    async def LogIn(self, request: Any, context: Any) -> identity_pb2.LogInResponse:
        self.requests.append(request)
        return identity_pb2.LogInResponse(member_id="m1")

    async def GetMember(self, request: Any, context: Any) -> identity_pb2.GetMemberResponse:
        return identity_pb2.GetMemberResponse()

    async def ListContents(self, request: Any, context: Any) -> catalog_pb2.ListContentsResponse:
        await asyncio.sleep(self.takes_s)
        self.requests.append(request)
        return catalog_pb2.ListContentsResponse(next_page_token="more")

    async def RecordInteraction(self, request: Any, context: Any) -> catalog_pb2.RecordInteractionResponse:
        self.requests.append(request)
        return catalog_pb2.RecordInteractionResponse()

    async def PublishContent(self, request: Any, context: Any) -> catalog_pb2.PublishContentResponse:
        self.requests.append(request)
        return catalog_pb2.PublishContentResponse()

    async def ImportContents(self, request: Any, context: Any) -> catalog_pb2.ImportContentsResponse:
        self.requests.append(request)
        return catalog_pb2.ImportContentsResponse()

    async def PriceProduct(self, request: Any, context: Any) -> billing_pb2.PriceProductResponse:
        self.requests.append(request)
        return billing_pb2.PriceProductResponse()

    async def StartPayment(self, request: Any, context: Any) -> billing_pb2.StartPaymentResponse:
        self.requests.append(request)
        return billing_pb2.StartPaymentResponse()

    async def HandleProviderCallback(self, request: Any, context: Any) -> billing_pb2.HandleProviderCallbackResponse:
        self.requests.append(request)
        return billing_pb2.HandleProviderCallbackResponse()

    async def WatchNotifications(
        self, request: notifications_pb2.WatchNotificationsRequest, context: Any
    ) -> AsyncIterator[notifications_pb2.WatchNotificationsResponse]:
        """Alive, then what `happened` is told to be, then nothing until the client goes; `after=refused` is refused."""
        self.requests.append(request)
        if request.after == "refused":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "at most 5 streams may be open at once")
        yield notifications_pb2.WatchNotificationsResponse(alive=True)
        try:
            while True:
                told = notifications_pb2.Notification(notification_id=await self.happened.get(), kind="order_paid")
                yield notifications_pb2.WatchNotificationsResponse(notification=told)
        finally:
            self.gone.set()

    async def GetContent(self, request: Any, context: Any) -> catalog_pb2.GetContentResponse:
        info, why = Any_(), ErrorInfo(reason="NOT_FOUND", domain="lyceum", metadata={"content_id": request.content_id})
        info.Pack(why)
        status = Status(code=5, message="no such content", details=[info])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.NOT_FOUND, status.message)
        raise AssertionError

    def token(self, **changes: Any) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "m1", "role": "creator", "exp": 4102444800} | changes
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": "at+jwt"}, claims, self.key)


@dataclass
class Running:
    client: httpx.AsyncClient
    services: Recording
    server: grpc.aio.Server
    log: Path
    port: int
    serves: Renewed | None

    @property
    def target(self) -> str:
        """The gateway's host and port, for gRPC."""
        return f"{self.client.base_url.host}:{self.client.base_url.port}"

    async def services_gone(self) -> None:
        await self.server.stop(None)

    async def services_anew(self) -> None:
        """The services are started again at their address: every connection to them is made anew."""
        await self.server.stop(None)
        self.server, _ = await _served(self.services, self.serves, self.port)

    def bearer(self, **changes: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.services.token(**changes)}"}


async def _served(services: Recording, serves: Renewed | None, port: int) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(services, server)
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(services, server)
    billing_pb2_grpc.add_BillingServiceServicer_to_server(services, server)
    notifications_pb2_grpc.add_NotificationsServiceServicer_to_server(services, server)
    bound = listen(server, f"127.0.0.1:{port}", serves)
    await server.start()
    return server, bound


@contextlib.asynccontextmanager
async def running(folder: Path, serves: Renewed | None = None, **changes: Any) -> AsyncIterator[Running]:
    """A gateway with these changes of its settings, before one server for all services; what it logs is in `folder`.
    The server speaks mutual TLS if it has a certificate."""
    services = Recording(  # type: ignore[abstract]  # what is not here is never called
        ECKey.generate_key("P-256", auto_kid=True)
    )
    server, port = await _served(services, serves, 0)
    targets = {name: [("127.0.0.1", port)] for name in SERVICES}
    listener, admin = free_port(), free_port()
    config, log = folder / "envoy.yaml", folder / "envoy.log"
    config.write_text(render(Gateway(targets, listener, admin, ISSUER, AUDIENCE, **changes)))
    with log.open("wb") as out:
        command = [str(ENVOY), "-c", str(config), "--use-dynamic-base-id", "-l", "error", *LOGGED_SOON]
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: ASYNC220 - starting it takes no time
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener}", timeout=30)
    gateway = Running(client, services, server, log, port, serves)
    try:
        async with client:
            await _ready(admin, process, log)
            yield gateway
    finally:
        process.terminate()
        process.wait(10)
        await gateway.services_gone()


async def _ready(admin: int, envoy: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(READY_S), httpx.AsyncClient() as client:
        while envoy.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{admin}/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError(f"Envoy ended with {envoy.returncode}: what it says is in {log}")
