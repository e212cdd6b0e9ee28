"""Where Kafka is, and how this process proves to its brokers who it is."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from eventfold.certificates import RenewedContext


@dataclass(frozen=True, slots=True)
class Brokers:
    """The address list of a Kafka cluster (`host:port`, separated by commas), in plain text or over mutual TLS.

    Every client of Kafka is made from `client()` (Faust's: from `faust()`), so none can be made that forgets TLS.
    """

    bootstrap: str
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    @classmethod
    def at(cls, bootstrap: str, tls_dir: str) -> Self:
        """The brokers, reached with the certificate in `tls_dir` (see `eventfold.certificates`); in plain text if it is
        empty. The brokers' certificates must be signed by its `ca.crt`, for the host names by which they are reached.
        Raises `CertificateUnusable`."""
        return cls(bootstrap, RenewedContext.of(Path(tls_dir)) if tls_dir else None)

    def client(self) -> dict[str, Any]:
        """Arguments for every client class of aiokafka."""
        if self.context is None:
            return {"bootstrap_servers": self.bootstrap}
        return {"bootstrap_servers": self.bootstrap, "security_protocol": "SSL", "ssl_context": self.context}

    def faust(self) -> dict[str, Any]:
        """Arguments for a Faust app."""
        addresses: dict[str, Any] = {"broker": [f"kafka://{address}" for address in self.bootstrap.split(",")]}
        if self.context is None:
            return addresses
        from faust.auth import SSLCredentials

        return addresses | {"broker_credentials": SSLCredentials(self.context)}

    def __str__(self) -> str:
        return self.bootstrap
