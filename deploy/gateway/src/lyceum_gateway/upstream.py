"""Mutual TLS from the gateway to the services.

Envoy takes renewed files up only if they come from a secret of its own (SDS). With the paths in the cluster itself, it
kept the old ones, though it was told to watch their folder (tried with 1.40). So there are two more files, of one
secret each: Envoy wants no more in one. Their content depends on nothing but the folder of the certificates.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

CERTIFICATE, AUTHORITY = "upstream-certificate", "upstream-authority"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


@dataclass(frozen=True)
class UpstreamTls:
    """`folder` holds `tls.crt`, `tls.key` and `ca.crt` where Envoy runs, and `secrets` is where it finds the files that
    `secret_files` makes. Both are absolute paths there."""

    folder: str
    secrets: str


def secret_files(tls: UpstreamTls) -> Mapping[str, str]:
    """The contents of the two files of `tls.secrets`, by name. They hold paths, and nothing secret."""
    watched = {"watched_directory": {"path": tls.folder}}
    certificate = {"certificate_chain": _file(tls, "tls.crt"), "private_key": _file(tls, "tls.key"), **watched}
    return {
        f"{CERTIFICATE}.yaml": _secret(CERTIFICATE, {"tls_certificate": certificate}),
        f"{AUTHORITY}.yaml": _secret(
            AUTHORITY, {"validation_context": {"trusted_ca": _file(tls, "ca.crt"), **watched}}
        ),
    }


def over_tls(tls: UpstreamTls | None, host: str) -> Mapping[str, object]:
    """What a cluster needs to reach the service at `host` over mutual TLS, whose certificate must be for that host;
    nothing without `tls`."""
    if tls is None:
        return {}
    names = {"match_typed_subject_alt_names": [{"san_type": _kind(host), "matcher": {"exact": host}}]}
    checked = {
        "default_validation_context": names,
        "validation_context_sds_secret_config": _from_file(tls, AUTHORITY),
    }
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [_from_file(tls, CERTIFICATE)],
        "combined_validation_context": checked,
    }
    named = {"sni": host} if _kind(host) == "DNS" else {}
    context = {"@type": f"{_TLS}.UpstreamTlsContext", "common_tls_context": common, **named}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}


def _kind(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "DNS"
    return "IP_ADDRESS"


def _file(tls: UpstreamTls, name: str) -> Mapping[str, str]:
    return {"filename": str(PurePosixPath(tls.folder) / name)}


def _from_file(tls: UpstreamTls, name: str) -> Mapping[str, object]:
    path = str(PurePosixPath(tls.secrets) / f"{name}.yaml")
    return {"name": name, "sds_config": {"path_config_source": {"path": path}, "resource_api_version": "V3"}}


def _secret(name: str, content: Mapping[str, object]) -> str:
    return json.dumps({"resources": [{"@type": f"{_TLS}.Secret", "name": name, **content}]}, indent=1)
