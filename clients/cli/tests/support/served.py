"""The gateway in memory behind a real port, for commands that run in processes of their own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from fake_gateway import FakeGateway


class Served:
    """`url` answers as `fake` does. Imports and grants wait for `go_on`, which is set at first; `asked` is set when one
    came."""

    def __init__(self, fake: FakeGateway) -> None:
        self.fake = fake
        self.url = ""
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith((":batchImport", ":grantRole")):
            self.asked.set()
            self.go_on.wait(60)
        return self.fake(request)


@contextlib.contextmanager
def served(fake: FakeGateway) -> Iterator[Served]:
    """Serve until the end of the block."""
    one = Served(fake)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Says nothing."""

        def _answered(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"http://fake{self.path}"
            found = one.answer(httpx.Request(self.command, url, headers=dict(self.headers), content=content))
            with contextlib.suppress(ConnectionError):  # who asked may have been stopped meanwhile
                self.send_response(found.status_code)
                for name in ("x-lyceum-stale", "x-lyceum-token"):
                    if name in found.headers:
                        self.send_header(name, found.headers[name])
                self.send_header("content-length", str(len(found.content)))
                self.end_headers()
                self.wfile.write(found.content)

        do_GET = do_POST = _answered  # noqa: N815 - the base class's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.go_on.set()
        server.shutdown()
        server.server_close()
