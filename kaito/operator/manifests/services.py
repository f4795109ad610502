"""The Services in front of a workspace's pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.kube.objects import owner_reference
from kaito.operator.manifests import names


def inference_service(workspace: Mapping[str, Any], *, runtime: str) -> dict[str, Any]:
    """Service `<workspace>` of an inference workspace, with Kaito's own ports; traffic goes to pod 0 alone.

    `runtime`: `vllm` (which adds the kv-events port to a ClusterIP Service) or `transformers`.
    """
    balanced = names.annotation(workspace, labels.ENABLE_LB) == "True"
    ports = [
        _port("http", 80, names.HTTP_PORT),
        _port("ray", 6379, 6379),
        _port("dashboard", 8265, 8265),
    ]
    if runtime == "vllm" and not balanced:
        ports.append(_port("kv-events", 5557, 5557))
    return _service(workspace, ports, "LoadBalancer" if balanced else "ClusterIP")


def tuned_service(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """Service `<workspace>` of a tuning workspace: 80 answers, 29500 is the rendezvous port of the quick start."""
    balanced = names.annotation(workspace, labels.ENABLE_LB) == "True"
    ports = [_port("http", 80, names.HTTP_PORT), _port("torch", names.RENDEZVOUS_PORT, names.RENDEZVOUS_PORT)]
    return _service(workspace, ports, "LoadBalancer" if balanced else "ClusterIP")


def headless_service(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """Service `<workspace>-headless`, which gives the pods of the StatefulSet their names; it has no ports."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_metadata(workspace), "name": names.headless_name(workspace)},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": {labels.WORKSPACE_NAME: names.name_of(workspace)},
            "publishNotReadyAddresses": True,
        },
    }


def _service(workspace: Mapping[str, Any], ports: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(workspace),
        "spec": {
            "type": kind,
            "ports": ports,
            "selector": {
                labels.WORKSPACE_NAME: names.name_of(workspace),
                names.POD_NAME_LABEL: names.pod_name(workspace),
            },
            "publishNotReadyAddresses": True,
        },
    }


def _metadata(workspace: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": names.name_of(workspace),
        "namespace": names.namespace_of(workspace),
        "ownerReferences": [owner_reference(workspace)],
    }


def _port(name: str, port: int, target: int) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": "TCP", "targetPort": target}
