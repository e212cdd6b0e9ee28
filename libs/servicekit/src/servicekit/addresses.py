"""Where a process reaches a server of its own container."""

from __future__ import annotations

_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def own_host(bound: str) -> str:
    """The host at which a server that is bound to `bound` is reached from its own machine."""
    return _EVERYWHERE.get(bound, bound)


def address(host: str, port: int) -> str:
    """`host:port`; an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
