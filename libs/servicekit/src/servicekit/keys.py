"""Key files: mode 0600, outside the source tree, made on first start and never replaced."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

RSA_BITS = 3072
HMAC_BYTES = 32


def key_file(folder: Path, name: str, make: Callable[[], bytes]) -> bytes:
    """The content of `folder/name`, made by `make` if it does not exist.

    Several processes may start at once: the first link wins, and all read the same key.
    """
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = folder / f".{name}.{secrets.token_hex(8)}"  # containers that share the folder have the same process ids
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            fresh.unlink()
        _keep_names(folder)
    return path.read_bytes()


def _keep_names(folder: Path) -> None:
    """Flush the folder to disk, so that its files are durable before anything is sealed under them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rsa_pem() -> bytes:
    """A new RSA private key, PKCS#8 PEM."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def ec_pem() -> bytes:
    """A new P-256 private key, PKCS#8 PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def hmac_key() -> bytes:
    """A new symmetric key of `HMAC_BYTES` bytes."""
    return secrets.token_bytes(HMAC_BYTES)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
