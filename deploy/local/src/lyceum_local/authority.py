"""A certificate authority of this machine alone: makes the certificates of a local stack, and renews them.

Its key and all others are files of mode 0600 below the data folder. Nothing outside this machine trusts it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lyceum_local import durable

AUTHORITY_DAYS, CERTIFICATE_DAYS, RENEW_BEFORE_DAYS = 3650, 90, 30
BACKDATED = timedelta(minutes=5)
"""A certificate is valid from a little before now on: clocks differ."""
HOSTS = ("localhost", "127.0.0.1")


class Authority:
    """The authority kept in `folder` (`ca.crt`, `ca.key`). It is made on first use."""

    def __init__(self, folder: Path, name: str = "Lyceum on this machine") -> None:
        self._name = name
        self._folder = folder
        if not (folder / "ca.crt").exists():  # written last
            self._make()
        self._certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder / 'ca.key'} is not a key that this program made")
        self._key = key

    def issue(
        self,
        folder: Path,
        name: str,
        hosts: Sequence[str] = HOSTS,
        valid_for: timedelta = timedelta(days=CERTIFICATE_DAYS),
    ) -> None:
        """Write a new `tls.key`, `tls.crt` and `ca.crt` to `folder`, for a server or client called `name`, reached at
        `hosts` (DNS names or IP addresses). Each file is replaced at once; the three are not replaced together."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        made = (
            _builder(name, self._certificate.subject, key, valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_named(host) for host in hosts]), critical=False)
            .add_extension(usage, critical=False)
            .add_extension(self._key_id(), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(folder / "tls.key", _private(key))
        _write(folder / "tls.crt", made.public_bytes(Encoding.PEM))
        _write(folder / "ca.crt", self._certificate.public_bytes(Encoding.PEM))

    def ensure(self, folder: Path, name: str) -> Path:
        """Issue a certificate to `folder`, unless it has one of this authority that is valid for `RENEW_BEFORE_DAYS`
        more. Returns the folder."""
        if not self._lasts(folder):
            self.issue(folder, name)
        return folder

    def _lasts(self, folder: Path) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
            key = load_pem_private_key((folder / "tls.key").read_bytes(), None)
            ours = (folder / "ca.crt").read_bytes() == self._certificate.public_bytes(Encoding.PEM)
        except (OSError, ValueError):
            return False
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        return ours and key.public_key() == certificate.public_key() and left > timedelta(days=RENEW_BEFORE_DAYS)

    def _key_id(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        signs = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            _builder(self._name, subject, key, timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signs, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self._folder / "ca.key", _private(key))
        _write(self._folder / "ca.crt", made.public_bytes(Encoding.PEM))


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid_for: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + valid_for)
    )


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, content: bytes) -> None:
    """Replace the file, with mode 0600 from the beginning."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(content)
    durable.sync(fresh)
    durable.rename(fresh, file)
