"""Readiness checks of processes. Functions called `…_complaint` return None if all is well, else the reason."""

import re
import socket
import urllib.error
import urllib.request

ASK_TIMEOUT_S = 2.0
HAS_RELAY = re.compile(r"^eventfold_relay_leading_epoch\{", re.MULTILINE)
COMPARED = re.compile(r"^eventfold_relay_rewound\{", re.MULTILINE)
REWOUND = re.compile(r"^eventfold_relay_rewound(\{.*\})? [1-9]", re.MULTILINE)


def http_complaint(url: str) -> str | None:
    """None if a GET of `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=ASK_TIMEOUT_S) as answer:  # noqa: S310 (our own http URL)
            return None if answer.status == 200 else f"{url} answers {answer.status}"
    except urllib.error.HTTPError as refused:
        return f"{url} answers {refused.code}"
    except OSError as refused:
        return f"{url}: {refused}"


def rewound(host: str, metrics_port: int) -> bool:
    """Whether the process reports that its topics hold events that its store lacks; False if it does not answer."""
    return REWOUND.search(_metrics(host, metrics_port)) is not None


def relay_complaint(host: str, metrics_port: int) -> str | None:
    """None if the process has no relay, or once its relay has compared store and topics, whatever the result."""
    page = _metrics(host, metrics_port)
    if not page or (HAS_RELAY.search(page) and not COMPARED.search(page)):
        return "its relay has not compared its store with its topics yet"
    return None


def _metrics(host: str, port: int) -> str:
    """The process's metrics page; empty if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=ASK_TIMEOUT_S) as page:
            return str(page.read().decode(errors="replace"))
    except OSError:
        return ""


def tcp_complaint(host: str, port: int) -> str | None:
    """None if a process accepts connections at `host`:`port`."""
    try:
        with socket.create_connection((host, port), timeout=ASK_TIMEOUT_S):
            return None
    except OSError as refused:
        return f"{host}:{port}: {refused}"
