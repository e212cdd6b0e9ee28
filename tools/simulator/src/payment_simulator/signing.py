"""The provider's key, and the signed envelope of its callbacks."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PRIVATE_KEY_FILE = "callback.pem"
PUBLIC_KEY_FILE = "callback.pub.pem"
KEY_BITS = 2048


class Signer:
    """Signs callbacks: RSA, SHA-256, PKCS #1 v1.5 over timestamp, nonce and raw body, each ended by a newline."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        public = key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.public_pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.serial = hashlib.sha256(der).hexdigest()[:16]

    def headers(self, body: bytes, timestamp_s: int, nonce: str) -> Mapping[str, str]:
        """The headers that prove that `body` comes from the provider."""
        text = f"{timestamp_s}\n{nonce}\n".encode() + body + b"\n"
        signature = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return {
            "Lyceum-Sim-Timestamp": str(timestamp_s),
            "Lyceum-Sim-Nonce": nonce,
            "Lyceum-Sim-Signature": base64.b64encode(signature).decode(),
            "Lyceum-Sim-Serial": self.serial,
        }


def signer_of(folder: Path) -> Signer:
    """The signer with the key in `folder`, which is made on first use; the public key is written beside it.
    Blocking."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / PRIVATE_KEY_FILE
    if not path.exists():
        _write(path, _new_key())
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{PRIVATE_KEY_FILE} is not an RSA key")
    signer = Signer(key)
    _write(folder / PUBLIC_KEY_FILE, signer.public_pem)
    return signer


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, readable by its owner only."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
