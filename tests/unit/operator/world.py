"""A cluster of one operator and an in-memory API server, with the other controllers played by hand."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

from kaito.kube.clock import VirtualClock
from kaito.kube.fake import Call, FakeClient
from kaito.kube.manager import Manager
from kaito.kube.objects import owner_reference
from kaito.kube.resources import (
    JOBS,
    NODE_CLAIMS,
    PODS,
    STATEFUL_SETS,
    WORKSPACES,
    Resource,
)
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace import add_workspace_controller

NAMESPACE = "default"
GPU_TYPE = "Standard_NC6s_v3"
A100_TYPE = "Standard_NC24ads_A100_v4"
URL = "https://huggingface.co/datasets/a/b/resolve/main/train.parquet?download=true"
TRAINING_CONFIG = "training_config:\n  TrainingArguments:\n    output_dir: /mnt/results\n"


def tuning_workspace(name: str = "tune", **tuning: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "resource": {"count": 1, "instanceType": GPU_TYPE, "labelSelector": {"matchLabels": {"app": name}}},
        "tuning": {
            "preset": {"name": "phi-3-mini-128k-instruct"},
            "method": "qlora",
            "input": {"urls": [URL]},
            "output": {"image": "me.azurecr.io/adapters/phi3:1", "imagePushSecret": "push"},
            **tuning,
        },
    }


def inference_workspace(
    name: str = "inf", instance: str = "Standard_NC24ads_A100_v4", **inference: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "resource": {"count": 1, "instanceType": instance, "labelSelector": {"matchLabels": {"app": name}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}} | inference,
    }


class World:
    """See the module. `settle` lets everything run that can run now."""

    def __init__(self, settings: OperatorSettings | None = None, client: FakeClient | None = None) -> None:
        self.clock = client.clock if client and isinstance(client.clock, VirtualClock) else VirtualClock()
        self.client = client or FakeClient(clock=self.clock)
        self.settings = settings or OperatorSettings()
        if client is None:
            for method in ("lora", "qlora"):
                self.client.seed(config_map(f"{method}-params-template", "kaito-system", TRAINING_CONFIG))
        self.manager = Manager(self.client, self.clock)
        self.controller = add_workspace_controller(self.manager, self.settings)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        task = asyncio.create_task(self.manager.run())
        try:
            await self.settle()
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def settle(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)
        await self.clock.settle(60)

    async def apply(self, workspace: dict[str, Any]) -> None:
        """Create or replace a workspace, as a user does."""
        live = self.client.find(WORKSPACES, workspace["metadata"]["name"], workspace["metadata"]["namespace"])
        if live is None:
            self.client.seed(workspace)
        else:
            live.update(
                {part: workspace.get(part) for part in ("resource", "inference", "tuning") if part in workspace}
            )
            await self.client.update(WORKSPACES, live)
            self.client.calls.pop()
        await self.settle()

    async def change(self, resource: Resource, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit an object and its status behind the operator's back."""
        namespace = NAMESPACE if resource.namespaced else ""
        live = self.client.find(resource, name, namespace)
        assert live is not None, f"{resource.kind} {name} is not there"
        edit(live)
        self.client.seed(live, resource)
        await self.settle()

    async def provide_nodes(self) -> None:
        """Make a ready node with GPUs for every NodeClaim that has none."""
        for claim in self.client.objects(NODE_CLAIMS):
            name = claim["metadata"]["name"]
            if (claim.get("status") or {}).get("nodeName"):
                continue
            claim["status"] = {"nodeName": f"node-{name}", "conditions": [{"type": "Ready", "status": "True"}]}
            self.client.seed(node(f"node-{name}", claim["metadata"]["labels"], instance_of(claim)))
            self.client.seed(claim)
        await self.settle()

    async def start_stateful_set(self, name: str, *, ready: bool = True) -> None:
        """Play StatefulSet controller and kubelet: one pod, ready or not."""
        pod_name = f"{name}-0"
        owner = self.client.find(STATEFUL_SETS, name, NAMESPACE)
        assert owner is not None
        pod = self.client.find(PODS, pod_name, NAMESPACE) or {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod_name,
                "namespace": NAMESPACE,
                "labels": owner["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": {"nodeName": ""},
        }
        pod["status"] = {"phase": "Running"}
        self.client.seed(pod)

        def edit(live: dict[str, Any]) -> None:
            live["status"] = {
                "observedGeneration": live["metadata"].get("generation", 1),
                "replicas": 1,
                "readyReplicas": 1 if ready else 0,
            }

        await self.change(STATEFUL_SETS, name, edit)

    async def run_job(self, name: str) -> None:
        """Play the Job controller: active, with one running pod."""
        await self._job(name, {"active": 1, "ready": 1, "startTime": "2026-01-01T00:00:00Z"}, {"phase": "Running"})

    async def finish_job(self, name: str) -> None:
        conditions = [{"type": "Complete", "status": "True"}]
        status = {"succeeded": 1, "startTime": "2026-01-01T00:00:00Z", "conditions": conditions}
        await self._job(name, status, {"phase": "Succeeded"})

    async def fail_job(self, name: str, container: str, code: int, message: str, *, good: bool = True) -> None:
        """A pod of the Job failed; `good`: for good."""
        status: dict[str, Any] = {"failed": 1, "startTime": "2026-01-01T00:00:00Z"}
        if good:
            status["conditions"] = [{"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "x"}]
        terminated = {"exitCode": code, "reason": "Error", "message": message}
        pod = {"phase": "Failed", "containerStatuses": [{"name": container, "state": {"terminated": terminated}}]}
        await self._job(name, status, pod)

    async def _job(self, name: str, status: dict[str, Any], pod_status: dict[str, Any]) -> None:
        owner = self.client.find(JOBS, name, NAMESPACE)
        assert owner is not None, "there is no Job"
        pod_name = f"{name}-{owner['metadata']['uid'][-5:]}"
        self.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": pod_name,
                    "namespace": NAMESPACE,
                    "labels": owner["spec"]["template"]["metadata"]["labels"],
                    "ownerReferences": [owner_reference(owner)],
                },
                "spec": {},
                "status": pod_status,
            }
        )
        await self.change(JOBS, name, lambda live: live.update(status=copy.deepcopy(status)))

    def workspace(self, name: str) -> dict[str, Any]:
        found = self.client.find(WORKSPACES, name, NAMESPACE)
        assert found is not None, f"workspace {name} is gone"
        return found

    def status(self, name: str) -> dict[str, Any]:
        return self.workspace(name).get("status") or {}

    def conditions(self, name: str) -> dict[str, dict[str, Any]]:
        return {one["type"]: one for one in self.status(name).get("conditions") or ()}

    def verdicts(self, name: str) -> dict[str, str]:
        return {kind: one["status"] for kind, one in self.conditions(name).items()}

    def requests(self) -> list[Call]:
        """Every call but watches and lists."""
        return [call for call in self.client.calls if call.verb not in ("watch", "list")]


def config_map(name: str, namespace: str, text: str, key: str = "training_config.yaml") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}


def node(name: str, labels: dict[str, str], instance: str, *, ready: bool = True, gpus: str = "1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**labels, "node.kubernetes.io/instance-type": instance, "accelerator": "nvidia"},
        },
        "status": {
            "capacity": {"nvidia.com/gpu": gpus},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def instance_of(claim: dict[str, Any]) -> str:
    for requirement in claim["spec"]["requirements"]:
        if requirement["key"] == "node.kubernetes.io/instance-type":
            return str(requirement["values"][0])
    raise AssertionError("the claim names no instance type")
