"""The gateway's address: whether it can be one, and in plain words why nothing answers there."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpx

from lyceum_cli.errors import BadAddress

SCHEMES: Final = ("http", "https")
MAX_PORT: Final = 65_535
EXAMPLE: Final = "http://127.0.0.1:8080"


def checked(url: str) -> str:
    """The address without a slash at its end. Raises `BadAddress`."""
    try:
        parsed = httpx.URL(url)
        url.encode()
    except (httpx.InvalidURL, ValueError) as failure:
        raise BadAddress(url, f"is no address like {EXAMPLE}") from failure
    if complaint := _complaint(parsed):
        raise BadAddress(url, complaint)
    return url.rstrip("/")


def _complaint(parsed: httpx.URL) -> str:
    if parsed.userinfo:
        return "must not hold a name or password"
    if parsed.scheme not in SCHEMES:
        return "must begin with http:// or https://"
    if not parsed.host or " " in parsed.host:
        return f"names no host, as {EXAMPLE} does"
    if parsed.port is not None and not 0 < parsed.port <= MAX_PORT:
        return f"its port must be from 1 to {MAX_PORT}"
    if parsed.query or parsed.fragment:
        return "must end with its path: no ? and no #"
    return ""


def why(failure: BaseException) -> str:
    """Why a request did not get through: what the operating system says, where it says something."""
    told = [_told(one) for one in _chain(failure) if isinstance(one, OSError) and one.strerror]
    if told:
        return told[-1]
    if isinstance(failure, httpx.TimeoutException):
        return "no answer in time"
    return str(failure) or type(failure).__name__


def _told(failure: OSError) -> str:
    """What the number means: the text is asyncio's own where a connection was refused. Resolvers and TLS have numbers
    of their own."""
    own = isinstance(failure, socket.gaierror | ssl.SSLError) or failure.errno is None
    return str(failure.strerror) if own else os.strerror(failure.errno or 0)


def _chain(failure: BaseException | None) -> Iterator[BaseException]:
    """The failure, and what it comes from."""
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__
