"""The certificate of this process and the authority whose certificates it accepts: three files that are renewed.

The names are cert-manager's. A renewal is noticed by the files' times, inodes and sizes, when the next connection is
made. What is half-written then is not used: the files before it serve on, and the log names what is wrong. Connections
that are open stay open, whatever becomes of the files.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from eventfold import telemetry
from eventfold.errors import CertificateUnusable

log = logging.getLogger(__name__)

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
FILES = (CERTIFICATE, KEY, AUTHORITY)

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Pem:
    """The contents of the three files, checked: they can be read, and the key is the certificate's."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    @property
    def host_names(self) -> Sequence[str]:
        """The DNS names for which the certificate was made."""
        names = x509.load_pem_x509_certificate(self.certificate).extensions
        try:
            return names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            return ()


def read(folder: Path) -> Pem:
    """The files in `folder`. Raises `CertificateUnusable`, which names the file that is missing, cannot be parsed, or
    does not belong to the others."""
    certificate, key, authority = (_bytes(folder / name) for name in FILES)
    leaf = _parsed(folder / CERTIFICATE, lambda: x509.load_pem_x509_certificates(certificate)[0])
    private = _parsed(folder / KEY, lambda: load_pem_private_key(key, None))
    _parsed(folder / AUTHORITY, lambda: x509.load_pem_x509_certificates(authority))
    if _public(private.public_key()) != _public(leaf.public_key()):
        raise CertificateUnusable(str(folder / KEY), f"is not the key of {CERTIFICATE}")
    telemetry.CERTIFICATE_EXPIRES.labels(str(folder)).set(leaf.not_valid_after_utc.timestamp())
    return Pem(certificate, key, authority)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as failure:
        raise CertificateUnusable(str(file), failure.strerror or type(failure).__name__) from failure


def _parsed(file: Path, parse: Any) -> Any:
    try:
        return parse()
    except (ValueError, TypeError) as failure:  # TypeError: the key asks for a passphrase
        raise CertificateUnusable(str(file), f"is not whole PEM: {failure}") from failure


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class Renewed:
    """The newest usable files of a folder. May be used from any thread.

    Raises `CertificateUnusable` when it is made, and never again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._stamp = self._stamped()  # before the read: what changes during it is read again
        self._pem = read(folder)
        self._context = self._made()

    @property
    def pem(self) -> Pem:
        """The contents. The same object until the files are renewed. Asks the file system three times."""
        with self._lock:
            self._renew()
            return self._pem

    @property
    def context(self) -> ssl.SSLContext:
        """For a client that presents the certificate, and checks its peer's certificate and host name."""
        with self._lock:
            self._renew()
            return self._context

    def _renew(self) -> None:
        if (stamp := self._stamped()) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._pem, self._context = read(self.folder), self._made()
        except CertificateUnusable as unusable:
            telemetry.CERTIFICATE_REFUSED.labels(str(self.folder)).inc()
            log.error("the renewed certificate is not used, the one before serves on: %s", unusable)
        else:
            log.info("certificate renewed", extra={"folder": str(self.folder)})

    def _stamped(self) -> _Stamp:
        return tuple(_stamp(self.folder / name) for name in FILES)

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(self.folder / AUTHORITY))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.folder / CERTIFICATE, self.folder / KEY)
        except (ssl.SSLError, OSError) as failure:  # replaced since it was read
            raise CertificateUnusable(str(self.folder / CERTIFICATE), f"cannot be loaded: {failure}") from failure
        return context


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)


class RenewedContext(ssl.SSLContext):
    """An `SSLContext` for clients whose every new connection uses the newest files.

    A context cannot forget an authority that it once trusted. So each connection is made by the context of the files
    as they are then; this one only stands in their place where a library wants a context when it starts.
    """

    _files: Renewed

    @classmethod
    def of(cls, folder: Path) -> RenewedContext:
        """The context of the files in `folder`. Raises `CertificateUnusable`."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._files = Renewed(folder)
        return context

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """The TLS side of a new connection: asyncio and uvloop call this once for each."""
        return self._files.context.wrap_bio(*arguments, **named)

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """The same for a blocking connection."""
        return self._files.context.wrap_socket(*arguments, **named)
