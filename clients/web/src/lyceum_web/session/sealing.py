"""What a cookie holds is sealed (AES-256-GCM) under a key of this installation: browsers cannot read it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lyceum_web.errors import KeyUnusable

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_FILE: Final = "cookie.key"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Seals:
    """The first of `keys` seals; all of them open, so that a key can be replaced without ending sessions."""

    keys: Sequence[bytes]

    def sealed(self, text: bytes, purpose: str) -> str:
        """The text in a form for cookies, openable for the same purpose only."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _base64(nonce + AESGCM(self.keys[0]).encrypt(nonce, text, purpose.encode()))

    def opened(self, sealed: str, purpose: str) -> bytes | None:
        """The text, or None for what was not sealed here for this purpose, or was changed."""
        whole = _bytes(sealed)
        if whole is None or len(whole) <= NONCE_BYTES:
            return None
        for key in self.keys:
            try:
                return AESGCM(key).decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], purpose.encode())
            except InvalidTag:
                continue
        return None

    def mark(self, text: str, purpose: str) -> str:
        """A mark that only this installation can make of the text."""
        return _base64(_mark(self.keys[0], text, purpose))

    def is_marked(self, text: str, mark: str, purpose: str) -> bool:
        """Whether the mark is one that was made of this text for this purpose. Takes equally long for all marks."""
        found = _bytes(mark) or b""
        return any(hmac.compare_digest(_mark(key, text, purpose), found) for key in self.keys)


def seals_in(folder: Path) -> Seals:
    """The seals of this installation; at the first start a key is made, in a file of mode 0600.

    Each line of the file is a key in base64url. Raises `KeyUnusable`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / KEY_FILE
    if not file.exists():
        _make(file)
    if file.stat().st_mode & _OTHERS:
        raise KeyUnusable(str(file), "may be read by others: chmod 600")
    keys = [_bytes(line) for line in file.read_text(encoding="ascii", errors="replace").split()]
    good = [key for key in keys if key is not None and len(key) == KEY_BYTES]
    if not good or len(good) != len(keys):
        raise KeyUnusable(str(file), f"must hold keys of {KEY_BYTES} bytes in base64url, one a line")
    return Seals(good)


def _make(file: Path) -> None:
    """Complete or absent; of two processes that begin at once, the first one's key stays."""
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(_base64(secrets.token_bytes(KEY_BYTES)) + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(fresh, file)
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def _mark(key: bytes, text: str, purpose: str) -> bytes:
    return hmac.digest(hmac.digest(key, b"lyceum-web marks", hashlib.sha256), f"{purpose}|{text}".encode(), "sha256")


def _base64(found: bytes) -> str:
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
