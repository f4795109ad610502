"""What every client library finds: a namespace, a kind of its own, and a pod that answers HTTP."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kubectl import Kubectl

NAMESPACE = "clients"
GROUP = "clients.example.com"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
POD = "answering"
PORT = 8000
PAGE = "served from inside the pod"

WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wdg"]},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1},
                                    "colour": {"type": "string", "default": "grey"},
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}

ANSWERING: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": POD, "labels": {"app": POD}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "main",
                "image": "python",
                "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "command": ["sh", "-c"],
                "args": [
                    f"mkdir site && echo '{PAGE}' > site/index.html && echo listening && cd site && "
                    f"exec python3 -m http.server {PORT} --bind $POD_IP"
                ],
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            }
        ],
    },
}


def widget(name: str, **spec: Any) -> dict[str, Any]:
    """A custom resource of the kind that the tests define."""
    return {"apiVersion": API_VERSION, "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The libraries leave some of their sockets to the garbage collector; that is no finding of these tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="package")
def answering(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace where the kind exists and the pod is ready."""
    kubectl("create", "namespace", NAMESPACE)
    inside = kubectl.in_namespace(NAMESPACE)
    inside.apply(json.dumps(ANSWERING))
    inside.apply(json.dumps(WIDGETS))
    inside("wait", "--for=condition=Established", f"crd/widgets.{GROUP}", "--timeout=20s")
    inside("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=40s")
    yield inside
    kubectl("delete", "namespace", NAMESPACE, "--timeout=60s", timeout=90)
    kubectl("delete", "crd", f"widgets.{GROUP}")
    gc.collect()


@pytest.fixture
def kubeconfig(answering: Kubectl) -> str:
    """The file that every client library reads, as a user's would."""
    return answering.kubeconfig
