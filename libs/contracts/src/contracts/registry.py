"""An optional schema registry with Confluent's API: every shipped schema gets its id there when a process starts.

The subject is the public type with its major (`lyceum.billing.order.paid.v1`). So a subject's versions are the minors
of one major, and each must be compatible both ways with all earlier ones; docs/adr/0015 gives the reasons. The registry
is asked only at the start: a process cannot read a schema that its build does not have anyway.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from contracts.avro import AvroCodec, schema_folder, shipped_schemas

REQUEST_S = 5.0
ATTEMPTS = 5
PAUSE_S = 1.0
MAX_ANSWER_BYTES = 1_000_000
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
COMPATIBILITY = "FULL_TRANSITIVE"
PASSING = (429, 500, 502, 503, 504)


class RegistryUnreachable(ConnectionError):
    """The registry gave no usable answer to any of `ATTEMPTS` requests."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"the schema registry {url} does not answer ({reason}, {ATTEMPTS} attempts); start it, or correct"
            " SCHEMA_REGISTRY_URL; without it values are framed by fingerprint"
        )
        self.url = url


class RegistryRefused(ValueError):
    """The registry refuses a request: missing rights, or another API than expected."""

    def __init__(self, url: str, what: str, reason: str) -> None:
        super().__init__(f"the schema registry {url} refused {what} ({reason}); check its rights and its address")
        self.url = url


class SchemaRefused(ValueError):
    """The registry finds a schema malformed, or incompatible with earlier ones."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(f"{subject} was refused: {reason}; an incompatible change is a new major")
        self.subject = subject


class Registry:
    """A client of one registry. A call blocks for at most `ATTEMPTS` times `REQUEST_S`, plus the pauses between."""

    def __init__(self, url: str, pause_s: float = PAUSE_S) -> None:
        """`url` is the API's root (`http://host:8081`, `https://user:password@host/apis/ccompat/v7`)."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("SCHEMA_REGISTRY_URL is not an http(s) address")
        place = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        self._headers = {"Content-Type": CONTENT_TYPE, **_authorisation(parts.username, parts.password)}
        self._pause_s = pause_s

    def register(self, subject: str, schema: str) -> int:
        """The id of `schema` under `subject`; adds it to the subject if it is missing. Repeating it changes nothing.

        Raises `SchemaRefused`, `RegistryRefused`, `RegistryUnreachable`.
        """
        try:
            answer = self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema})
        except HTTPError as failure:
            raise self._refusal(subject, failure) from failure
        return int(answer["id"])

    def require_compatibility(self, subject: str) -> None:
        """From now on each schema of `subject` must be compatible both ways with all earlier ones.

        Raises `RegistryRefused`, `RegistryUnreachable`.
        """
        try:
            self._call("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": COMPATIBILITY})
        except HTTPError as failure:
            raise RegistryRefused(self.url, f"the compatibility of {subject}", _reason(failure)) from failure

    def _refusal(self, subject: str, failure: HTTPError) -> Exception:
        if failure.code in (409, 422):
            return SchemaRefused(subject, _reason(failure))
        return RegistryRefused(self.url, subject, _reason(failure))

    def _call(self, method: str, path: str, body: Any) -> Any:
        """The answer to one request. Raises HTTPError for a refusal, `RegistryUnreachable` if no answer came."""
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(self._pause_s)
            try:
                return self._once(method, path, body)
            except HTTPError as failure:
                if failure.code not in PASSING:
                    raise
                reason = _reason(failure)
            except (URLError, TimeoutError, ConnectionError, json.JSONDecodeError) as failure:
                reason = str(getattr(failure, "reason", failure))
        raise RegistryUnreachable(self.url, reason)

    def _once(self, method: str, path: str, body: Any) -> Any:
        request = Request(self.url + path, json.dumps(body).encode(), self._headers, method=method)  # noqa: S310 - http(s)
        with urlopen(request, timeout=REQUEST_S) as answer:  # noqa: S310 - http(s) only, see the constructor
            return json.loads(answer.read(MAX_ANSWER_BYTES))


def _authorisation(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _reason(failure: HTTPError) -> str:
    """Status and message of a refusal, on one line."""
    text = failure.read(2000).decode(errors="replace")
    with contextlib.suppress(ValueError, TypeError, KeyError):  # not the API's error document: show it unchanged
        text = str(json.loads(text)["message"])
    return f"{failure.code} {' '.join(text.split())}"


def register_all(registry: Registry, folder: Path | None = None) -> dict[str, int]:
    """Register every shipped schema, minors in order; returns ids by `dataschema`. Raises what `Registry` raises."""
    shipped = shipped_schemas(folder or schema_folder())
    for subject in sorted({one.type for one in shipped}):
        registry.require_compatibility(subject)
    return {one.dataschema: registry.register(one.type, one.text) for one in shipped}


@cache
def avro_codec(registry_url: str) -> AvroCodec:
    """The codec of a process: it frames values with registry ids if there is a registry, else with fingerprints.

    With a registry it blocks until all schemas are registered, and raises what `Registry` raises. There is one codec
    per process and address.
    """
    return AvroCodec(ids=register_all(Registry(registry_url))) if registry_url else AvroCodec()
