"""A fixed set of workloads and what became of them under the real kube-controller-manager and kube-scheduler 1.34.4.

`golden-kube-1.34.json` was recorded with `python -m tests.unit.controllers.golden URL TOKEN` on an empty real cluster
(kube-apiserver, kube-controller-manager with `--controllers=*,-node-lifecycle-controller`, kube-scheduler, no kubelet).
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from pathlib import Path
from typing import Any

import yaml

from kaito.kube.access import Access
from kaito.kube.client import Client
from kaito.kube.errors import ApiError
from kaito.kube.fake import guess_resource
from kaito.kube.informer import Change
from kaito.kube.manager import Manager
from kaito.kube.objects import format_time
from kaito.kube.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    JOBS,
    NODES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)

Object = dict[str, Any]
FOLDER = Path(__file__).parent
RECORDING = FOLDER / "golden-kube-1.34.json"
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"
_MASKS = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (rf"\b([a-z]+)-{_HASH}{{8,10}}-{_HASH}{{5}}\b", r"\1-HASH-POD"),
    (rf"\b([a-z]+)-{_HASH}{{8,10}}\b", r"\1-HASH"),
    (rf"\b([a-z]+(?:-\d)?)-{_HASH}{{5}}\b", r"\1-POD"),
    (r"10\.244\.0\.\d+", "ADDRESS"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r" to n\d\b", " to NODE"),
    (r'"nodeName": "n\d"', '"nodeName": "NODE"'),
]


class Kubelet:
    """Runs the pods that were bound; the annotation `test/exit` ends one with that code."""

    def __init__(self, manager: Manager) -> None:
        self._client, self._clock = manager.client, manager.clock
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._addresses = 0
        manager.informer(PODS).add_handler(self._on_pod)

    def _on_pod(self, change: Change) -> None:
        pod = change.object
        uid = pod["metadata"]["uid"]
        if change.type == "DELETED" or not pod["spec"].get("nodeName") or uid in self._seen:
            return
        self._seen.add(uid)
        task = asyncio.create_task(self._run(pod))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, pod: Object) -> None:
        self._addresses += 1
        address = f"10.244.0.{self._addresses}"
        await self._write(pod, "Running", None, podIP=address, podIPs=[{"ip": address}])
        code = (pod["metadata"].get("annotations") or {}).get("test/exit")
        if code is not None:
            await asyncio.sleep(0.2)
            await self._write(pod, "Failed" if int(code) else "Succeeded", int(code))

    async def _write(self, pod: Object, phase: str, code: int | None, **more: Any) -> None:
        now = format_time(self._clock.now())
        ready = {"type": "Ready", "status": "True" if code is None else "False", "lastTransitionTime": now}
        state: Object = {"running": {"startedAt": now}}
        if code is not None:
            state = {"terminated": {"exitCode": code, "startedAt": now, "finishedAt": now}}
        container = {"name": "c", "image": "x", "imageID": "", "restartCount": 0, "ready": code is None, "state": state}
        status = {"phase": phase, "conditions": [ready], "containerStatuses": [container], **more}
        try:
            await self._client.patch(
                PODS,
                pod["metadata"]["name"],
                {"status": status},
                pod["metadata"]["namespace"],
                kind="strategic",
                subresource="status",
            )
        except ApiError:
            return


async def set_up(client: Client) -> None:
    """Make two nodes that are ready, and all workloads."""
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    }
    for name in ("n0", "n1"):
        await client.create(NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        await client.patch(NODES, name, {"status": status}, kind="strategic", subresource="status")
        await client.patch(NODES, name, {"spec": {"taints": None}})
    for obj in yaml.safe_load_all((FOLDER / "golden-workloads.yaml").read_text()):
        obj["metadata"]["namespace"] = "default"
        await client.create(guess_resource(obj), obj)


def _by_target(entries: list[Object] | None) -> list[Object]:
    """Endpoints in the order of their pods' masked form: addresses come in the order in which pods were started."""
    return sorted(entries or (), key=lambda entry: json.dumps(mask(entry), sort_keys=True))


def mask(value: Any) -> Any:
    """The value without what differs from run to run: times, hashes, generated names, addresses, uids, node names."""
    text = json.dumps(value, sort_keys=True)
    for pattern, replacement in _MASKS:
        text = re.sub(pattern, replacement, text)
    return json.loads(text)


async def snapshot(client: Client) -> Object:
    """Statuses by kind and name, endpoints, and the set of events, masked."""
    found: Object = {}
    for resource in (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, JOBS):
        for obj in (await client.list(resource, "default")).items:
            found[f"{resource.kind} {obj['metadata']['name']}"] = obj.get("status")
    for pod in (await client.list(PODS, "default")).items:
        conditions = (pod.get("status") or {}).get("conditions") or []
        if any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions):
            found[f"Pod {pod['metadata']['name']}"] = conditions
    for slice_ in (await client.list(ENDPOINT_SLICES, "default")).items:
        if slice_["metadata"]["name"] != "kubernetes":
            found[f"EndpointSlice {slice_['metadata']['name']}"] = [
                slice_["metadata"]["labels"],
                slice_["ports"],
                _by_target(slice_["endpoints"]),
            ]
    for endpoints in (await client.list(ENDPOINTS, "default")).items:
        if endpoints["metadata"]["name"] != "kubernetes":
            found[f"Endpoints {endpoints['metadata']['name']}"] = [
                {**subset, "addresses": _by_target(subset.get("addresses"))}
                for subset in endpoints.get("subsets") or ()
            ]
    said = set()
    for event in (await client.list(EVENTS, "default")).items:
        if event["involvedObject"]["kind"] != "Node":
            target = f"{event['involvedObject']['kind']} {event['involvedObject']['name']}"
            reporter = event.get("reportingComponent") or event["source"]["component"]
            said.add(json.dumps(mask([event["type"], event["reason"], reporter, target, event["message"]])))
    result: Object = mask(found)
    return result | {"events": sorted(said)}


async def _record(url: str, token: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with Client(Access(server=url, ssl_context=context, authorization=f"Bearer {token}")) as client:
        manager = Manager(client)
        Kubelet(manager)
        await manager.start()
        await set_up(client)
        await asyncio.sleep(20)
        RECORDING.write_text(json.dumps(await snapshot(client), indent=1, sort_keys=True) + "\n")
        await manager.stop()


if __name__ == "__main__":
    asyncio.run(_record(*sys.argv[1:3]))
