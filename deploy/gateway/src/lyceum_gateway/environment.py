"""What a deployment says of its gateway in environment variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lyceum_gateway import ANY_HOST, HOME, Gateway
from lyceum_gateway.limits import Limits
from lyceum_gateway.pages import Pages
from lyceum_gateway.services import SERVICES
from lyceum_gateway.upstream import UpstreamTls
from lyceum_gateway.upstreams import Address


class SettingMissing(ValueError):
    """A variable without a default is not set. Carries its name as `field`."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not set")
        self.field = field


class SettingUnusable(ValueError):
    """A variable does not say what is needed. Carries its name as `field`; the value is not repeated."""

    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"{field} must be {wanted}")
        self.field = field


def gateway_of(environment: Mapping[str, str]) -> Gateway:
    """The gateway described by JWT_ISSUER, JWT_AUDIENCE, one <SERVICE>_TARGET per service (host:port, or several of
    them separated by commas), and optionally LISTENER_PORT, ADMIN_PORT, DESCRIPTORS, OPENAPI, ALLOWED_ORIGINS
    (separated by commas), TRUSTED_HOPS, and the limits REQUESTS_PER_S, REQUESTS_PER_CLIENT_PER_S and
    CREDENTIALS_PER_CLIENT_PER_MIN. WEB_TARGET (host:port) is where the web client listens, if there is one, and
    PAGES_PORT (8081) the port that it alone may reach. With UPSTREAM_TLS_DIR (the folder with `tls.crt`, `tls.key` and
    `ca.crt` where Envoy runs) the services are reached over mutual TLS, and each must have a certificate for the host
    of its target; UPSTREAM_SECRETS_DIR (/etc/lyceum) is where Envoy finds the two files that tell it of them
    (`lyceum_gateway.upstream`). METRICS_PORT shows Envoy's figures, at /stats/prometheus.

    It listens on every interface; the admin interface stays on loopback. Raises SettingMissing, SettingUnusable.
    """
    origins = environment.get("ALLOWED_ORIGINS", "")
    return Gateway(
        targets={name: _targets(environment, f"{name.upper()}_TARGET") for name in SERVICES},
        listener_host=ANY_HOST,
        listener_port=_number(environment, "LISTENER_PORT", 8080),
        admin_port=_number(environment, "ADMIN_PORT", 9901),
        issuer=_required(environment, "JWT_ISSUER"),
        audience=_required(environment, "JWT_AUDIENCE"),
        descriptors=Path(environment.get("DESCRIPTORS", HOME / "lyceum.binpb")),
        openapi=Path(environment.get("OPENAPI", HOME / "openapi.yaml")),
        allowed_origins=tuple(origin.strip() for origin in origins.split(",") if origin.strip()),
        limits=_limits(environment),
        trusted_hops=_number(environment, "TRUSTED_HOPS", 0, least=0),
        pages=_pages(environment),
        upstream_tls=_upstream_tls(environment),
        metrics_port=_number(environment, "METRICS_PORT", 0, least=0),
    )


def _upstream_tls(environment: Mapping[str, str]) -> UpstreamTls | None:
    if not environment.get("UPSTREAM_TLS_DIR"):
        return None
    return UpstreamTls(
        _absolute(environment, "UPSTREAM_TLS_DIR", ""), _absolute(environment, "UPSTREAM_SECRETS_DIR", "/etc/lyceum")
    )


def _absolute(environment: Mapping[str, str], name: str, default: str) -> str:
    path = environment.get(name, default)
    if not path.startswith("/"):
        raise SettingUnusable(name, "an absolute path")
    return path


def _pages(environment: Mapping[str, str]) -> Pages | None:
    if not environment.get("WEB_TARGET"):
        return None
    return Pages(*_target(environment, "WEB_TARGET"), _number(environment, "PAGES_PORT", 8081))


def _limits(environment: Mapping[str, str]) -> Limits:
    return Limits(**{name: _number(environment, name.upper(), usual) for name, usual in asdict(Limits()).items()})


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingMissing(name)
    return value


def _targets(environment: Mapping[str, str], name: str) -> Sequence[Address]:
    return [_address(name, one.strip()) for one in _required(environment, name).split(",")]


def _target(environment: Mapping[str, str], name: str) -> Address:
    return _address(name, _required(environment, name))


def _address(name: str, told: str) -> Address:
    host, colon, port = told.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit()):
        raise SettingUnusable(name, "host:port")
    return host, int(port)


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise SettingUnusable(name, "a whole number" + (" above zero" if least else ""))
    return int(text)
