"""Files for the browser: the pages' own style and script, and the chart library where it was fetched."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lyceum_web.edge.cookies import BASE

CHARTS: Final = "echarts.min.js"
_OWN: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file in memory, as it is and compressed."""

    name: str
    kind: str
    body: bytes
    compressed: bytes
    digest: str

    @property
    def url(self) -> str:
        """Its address, another one for each content, so that browsers may keep it."""
        return f"{BASE}static/{self.digest}/{self.name}"


@dataclass(frozen=True)
class Assets:
    """All files by name."""

    by_name: Mapping[str, Asset]

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that is not there."""
        return self.by_name[name].url

    @property
    def has_charts(self) -> bool:
        """Whether the chart library is there."""
        return CHARTS in self.by_name


def assets_of(chart_dir: Path | None) -> Assets:
    """The files of this package, and the chart library of `chart_dir` if it is there."""
    files = [file for file in sorted(_OWN.iterdir()) if file.suffix in _KINDS]
    if chart_dir is not None and (chart_dir / CHARTS).is_file():
        files.append(chart_dir / CHARTS)
    return Assets({file.name: _asset(file) for file in files})


def _asset(file: Path) -> Asset:
    body = file.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(file.name, _KINDS[file.suffix], body, gzip.compress(body, mtime=0), digest)
