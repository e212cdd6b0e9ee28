"""The form of an address that may be told, and which IP addresses are public.

The addresses belong to strangers: what they name must be nothing that only we can reach. The form is checked when an
endpoint is registered; where the name leads is checked then, and again by each connection (`notifications.guard`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from eventfold.errors import InvalidInput

MAX_URL_CHARS: Final = 2_000
HTTPS_PORT: Final = 443
LOCAL_SUFFIXES: Final = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "cluster", "svc", "arpa")
"""Last labels of names that mean something inside only."""
_HOST: Final = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])\Z")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")
IpAddress = IPv4Address | IPv6Address

# `ipaddress.is_global` is the base; these pass it, in some version of Python or by design, and lead inside.
_NOT_PUBLIC: Final = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
)  # fmt: skip
_PUBLIC_V6: Final = ip_network("2000::/3")
"""All unicast addresses that are given out; whatever else IPv6 has, or will have, is refused."""
_NOT_PUBLIC_V6: Final = tuple(
    ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""Protocol assignments (Teredo among them), documentation, 6to4: addresses that hold others or lead nowhere."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: where to connect, and what to ask for there. `target` is path and query."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        """The value of `Host`."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": HTTPS_PORT, "http": 80}[self.scheme]
        return name if self.port == usual else f"{name}:{self.port}"


def is_public(ip: IpAddress) -> bool:
    """Whether packets to `ip` leave our networks, as far as anybody can tell from the address alone."""
    if isinstance(ip, IPv6Address):
        return (
            ip.scope_id is None and ip.is_global and ip in _PUBLIC_V6 and not any(ip in net for net in _NOT_PUBLIC_V6)
        )
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in _NOT_PUBLIC)


def checked(url: str, field: str = "url", *, allow_local: bool = False) -> Address:
    """The address that `url` names. With `allow_local`, `http` and addresses of this machine are taken, too.

    Raises `InvalidInput` with `field`, and never with the address, for everything else but `https` with a public form
    of name, on port 443, without credentials or fragment.
    """
    if len(url) > MAX_URL_CHARS:
        raise InvalidInput(f"must have at most {MAX_URL_CHARS} characters", field=field)
    if not _VISIBLE.match(url) or "\\" in url:
        raise InvalidInput("must be an address of visible ASCII characters; write names and paths encoded", field=field)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as failure:
        raise InvalidInput("is not an address", field=field) from failure
    if "@" in parts.netloc or "#" in url:
        raise InvalidInput("must hold neither credentials nor a fragment", field=field)
    address = Address(url, parts.scheme, host, _port(parts.scheme, port), _target(parts.path, parts.query))
    if not (allow_local and _of_this_machine(address)):
        _check_public_form(address, parts.netloc, field)
    return address


def _port(scheme: str, told: int | None) -> int:
    return told if told is not None else {"https": HTTPS_PORT, "http": 80}.get(scheme, 0)


def _target(path: str, query: str) -> str:
    return (path or "/") + (f"?{query}" if query else "")


def _of_this_machine(address: Address) -> bool:
    if address.scheme not in {"http", "https"} or not 0 < address.port < 65_536:
        return False
    try:
        return ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost" or address.host.endswith(".localhost")


def _check_public_form(address: Address, netloc: str, field: str) -> None:
    if address.scheme != "https":
        raise InvalidInput("must begin with https://", field=field)
    if not _HOST.match(address.host) or netloc.lower() not in {address.host, f"{address.host}:{address.port}"}:
        raise InvalidInput("must name a host by its full name, not by an IP address", field=field)
    if address.host.rpartition(".")[2] in LOCAL_SUFFIXES:
        raise InvalidInput("must name a public host", field=field)
    if address.port != HTTPS_PORT:
        raise InvalidInput(f"must have port {HTTPS_PORT}: the sender's pod reaches no other", field=field)
