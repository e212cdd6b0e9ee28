"""Certificates of every service and of the gateway, as cert-manager's objects."""

from __future__ import annotations

from lyceum_k8s.objects import Object, metadata

LASTS, RENEWED_BEFORE = "2160h", "720h"
ISSUER = "lyceum-internal"


def certificate(name: str) -> Object:
    """One for each service's processes: as a server under the service's name, as a client by the same."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata(name, {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "lyceum"}),
        "spec": {
            "secretName": f"{name}-tls",
            "duration": LASTS,
            "renewBefore": RENEWED_BEFORE,
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth", "client auth"],
            "commonName": name,
            "dnsNames": [name, "localhost"],
            "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": ISSUER},
        },
    }
