"""A schema registry in this process: the part of Confluent's API that we use, compatibility by Avro's own library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

ROOT = "/apis/ccompat/v7"


@dataclass
class FakeRegistry:
    """What it holds, what it was asked, and what it shall answer instead: statuses for the next requests."""

    url: str = ""
    ids: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, list[str]] = field(default_factory=dict)
    compatibility: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        parts = [unquote(part) for part in path.removeprefix(ROOT).strip("/").split("/")]
        match [method, *parts]:
            case ["PUT", "config", subject]:
                self.compatibility[subject] = body["compatibility"]
                return 200, body
            case ["POST", "subjects", subject, "versions"]:
                return self._register(subject, body["schema"])
            case _:
                return 404, {"error_code": 404, "message": f"no {method} {path}"}

    def _register(self, subject: str, schema: str) -> tuple[int, dict[str, Any]]:
        versions = self.subjects.setdefault(subject, [])
        if schema not in versions:
            if self.compatibility.get(subject) and not all(_both_ways(schema, old) for old in versions):
                return 409, {"error_code": 409, "message": "incompatible with an earlier\nversion"}
            versions.append(schema)
        return 200, {"id": self.ids.setdefault(schema, len(self.ids) + 1)}


def _both_ways(one: str, other: str) -> bool:
    return _reads(one, other) and _reads(other, one)


def _reads(reader: str, writer: str) -> bool:
    checker: Any = ReaderWriterCompatibilityChecker
    found = checker().get_compatibility(parse(reader), parse(writer))
    return bool(found.compatibility is SchemaCompatibilityType.compatible)


@contextmanager
def running() -> Iterator[FakeRegistry]:
    """A registry on a free port."""
    fake = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.asked.append((self.command, self.path, self.headers["Authorization"]))
            status, answer = (
                (fake.failing.pop(0), {"message": "not now"})
                if fake.failing
                else fake.answer(self.command, self.path, body)
            )
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}{ROOT}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
