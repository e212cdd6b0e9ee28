"""The guard against being sent inside: names are resolved here, and connections go to what was checked.

Three checks stand behind one another, because each has been got round elsewhere: the form of the address
(`notifications.addresses`), every address that the name has, and the address of each socket before it is opened. The
last one also sees what never was a name. So a name that answers otherwise at the second look is not asked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from notifications.addresses import IpAddress, is_public

RESOLVE_S: Final = 5.0
"""How long a name may take."""
RESOLVING_AT_ONCE: Final = 96
"""More than requests at once: a name that nobody answers for holds its thread for longer than its request."""
MAX_ADDRESSES: Final = 8
"""Of one name; more are not tried."""

Resolve = Callable[[str, int], Sequence[str]]
"""The IP addresses of a name, as text. Blocks. Raises OSError."""


class NotReachable(Exception):
    """The address must not, or cannot, be asked. The text is for its owner and names no IP address."""


class NotPublic(NotReachable):
    """The name leads to an address that is not public."""

    def __init__(self) -> None:
        super().__init__("the name of the host leads to an address that is not public")


class NoAddress(NotReachable):
    """The name cannot be resolved."""

    def __init__(self) -> None:
        super().__init__("the name of the host has no address")


def system_addresses(host: str, port: int) -> Sequence[str]:
    """As the machine resolves names: IPv4 and IPv6, each address once. A full name ends with a dot, so that none of the
    machine's search domains is tried: in a cluster those are names of the inside."""
    name = f"{host}." if "." in host and not host.endswith("localhost") and not _is_ip(host) else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(one[4][0]) for one in found)]


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Guard:
    """Resolves names, in threads of its own, and refuses those with any address that is not public.

    With `allow_local`, addresses of this machine pass, too.
    """

    def __init__(self, resolve: Resolve | None = None, *, allow_local: bool = False) -> None:
        self._resolve = resolve
        self._allow_local = allow_local
        self._threads = ThreadPoolExecutor(RESOLVING_AT_ONCE, thread_name_prefix="resolve")

    async def addresses(self, host: str, port: int) -> list[IpAddress]:
        """All addresses of a name, each checked. Raises `NotPublic` if one of them is not public, `NoAddress`."""
        resolve = self._resolve or system_addresses
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await loop.run_in_executor(self._threads, resolve, host, port)
        except (OSError, TimeoutError, UnicodeError) as failure:
            raise NoAddress from failure
        if not found:
            raise NoAddress
        return [self.checked(one) for one in found][:MAX_ADDRESSES]

    def checked(self, text: str) -> IpAddress:
        """The IP address, if packets may be sent there. Raises `NotPublic` for all others, and for what is none."""
        try:
            ip = ip_address(text)
        except ValueError as failure:
            raise NotPublic from failure
        if not (is_public(ip) or (self._allow_local and ip.is_loopback)):
            raise NotPublic
        return ip

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for a connection to the address of `info` (as `getaddrinfo` gives it). Raises `NotPublic`."""
        family, kind, protocol, _, address = info
        self.checked(str(address[0]))
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def aclose(self) -> None:
        """End the threads; those that still wait for a name end with it."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """What aiohttp resolves names with: the guard, and nothing beside it."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses, as numbers: nothing resolves them a second time."""
        return [_result(host, port, ip) for ip in await self._guard.addresses(host, port)]

    async def close(self) -> None:
        """There is nothing to close; the guard is its maker's."""


def _result(host: str, port: int, ip: IpAddress) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(ip),
        port=port,
        family=socket.AF_INET if ip.version == 4 else socket.AF_INET6,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
