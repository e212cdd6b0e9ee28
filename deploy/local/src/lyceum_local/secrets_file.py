"""The passwords of one data folder: made at the first start, kept in one file that only its owner can read."""

import json
import secrets
from pathlib import Path

from lyceum_local import durable

PASSWORD_BYTES = 24


class Secrets:
    """Passwords by name. Each is made on first use and then never changes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def password(self, name: str) -> str:
        """The password called `name`, URL-safe; made and saved if it is new."""
        known = self._load()
        if name not in known:
            known[name] = secrets.token_urlsafe(PASSWORD_BYTES)
            self._save(known)
        return known[name]

    def has(self, name: str) -> bool:
        """Whether `name` was made before."""
        return name in self._load()

    def _load(self) -> dict[str, str]:
        return dict(json.loads(self.file.read_text())) if self.file.exists() else {}

    def _save(self, known: dict[str, str]) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(known, indent=1))
        durable.sync(fresh)
        durable.rename(fresh, self.file)
