"""Writes a kubeconfig for one cluster and one token."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from kaito.embedded.pki import write_private

CONTEXT = "kaito-embedded"


def write_kubeconfig(path: Path, server_url: str, ca_pem: bytes, token: str, namespace: str = "default") -> None:
    """Writes (or replaces) `path`, readable by its owner only; the current context is "kaito-embedded"."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {
                    "server": server_url,
                    "certificate-authority-data": base64.b64encode(ca_pem).decode(),
                },
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}}],
        "current-context": CONTEXT,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
