"""Secrets that come from a store outside the cluster, as External Secrets' objects: for databases that no operator of
this cluster makes."""

from __future__ import annotations

from lyceum_k8s.objects import Object, metadata

STORE = "lyceum"
KEYS = ("username", "password", "dbname")


def database(service: str) -> Object:
    """A service's database user, under the name and keys that its processes ask for."""
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": metadata(
            f"{service}-database-app", {"app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "lyceum"}
        ),
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "SecretStore", "name": STORE},
            "target": {"name": f"{service}-database-app", "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [
                {"secretKey": key, "remoteRef": {"key": f"lyceum/{service}/database", "property": key}} for key in KEYS
            ],
        },
    }
