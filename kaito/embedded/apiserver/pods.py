"""What pods do beside being stored: binding to a node, eviction, and streams from their kubelet."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.deleting import Deleter
from kaito.embedded.apiserver.errors import GroupResource, StatusError, bad_request, conflict, internal
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey, Store
from kaito.embedded.apiserver.write_options import delete_options, write_options
from kaito.embedded.apiserver.writing import Writer, timestamp
from kaito.kube.clock import Clock
from kaito.kube.objects import matches_labels

_PODS = GroupResource("", "pods")
_CREATED = orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


class Pods:
    """Answers pods/binding and pods/eviction."""

    def __init__(self, store: Store, reader: Reader, writer: Writer, deleter: Deleter, clock: Clock) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._deleter = deleter
        self._clock = clock

    async def bind(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """Assigns the pod to a node, once (BindingREST)."""
        form = choose(call.accept)
        options = write_options(call.query, call.headers, "CreateOptions")
        body, _ = await read_object(call, "Binding")
        target = body.get("target") or {}
        name = call.info.name
        if (body.get("metadata") or {}).get("name", "") != name:
            raise bad_request("name in URL does not match name in Binding object")
        node = target.get("name", "")
        if target.get("kind", "") not in ("", "Node"):
            message = f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
            raise StatusError(500, "", f"target.kind: {message}")
        if not node:
            raise StatusError(500, "", "target.name: Required value")
        annotations = (body.get("metadata") or {}).get("annotations") or {}
        pods = resource

        def assign(live: Entry | None) -> Object:
            assert live is not None
            pod = copy.deepcopy(pods.content(live))
            if pod["metadata"].get("deletionTimestamp"):
                raise conflict(_BINDING, name, f"pod {name} is being deleted, cannot be assigned to a host")
            if pod["spec"].get("nodeName"):
                raise conflict(_BINDING, name, f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"')
            if pod["spec"].get("schedulingGates"):
                raise conflict(_BINDING, name, f"pod {name} has non-empty .spec.schedulingGates")
            pod["spec"]["nodeName"] = node
            if annotations:
                pod["metadata"]["annotations"] = {**(pod["metadata"].get("annotations") or {}), **annotations}
            _scheduled(pod, timestamp(self._clock.now()))
            return pod

        self._writer.rewrite(pods, ObjectKey(namespace, name), assign, dry_run=options.dry_run)
        return await send(call, _CREATED, status=201, form=form)

    async def evict(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """Deletes the pod unless a PodDisruptionBudget forbids it (EvictionREST)."""
        form = choose(call.accept)
        body, _ = await read_object(call, "Eviction")
        name = (body.get("metadata") or {}).get("name") or call.info.name
        if name != call.info.name:
            raise bad_request("name in URL does not match name in Eviction object")
        pod = self._reader.entry(resource, namespace, call.info.name)
        budgets = [] if _terminal(pod.object) else self._budgets(pod)
        if len(budgets) > 1:
            raise internal("This pod has more than one PodDisruptionBudget, which eviction does not support.")
        if budgets:
            self._spend(budgets[0])
        options = delete_options(call.query, body.get("deleteOptions") or {})
        await self._deleter.delete(call, resource, pod.key, options)
        return await send(call, _CREATED, status=201, form=form)

    def _budgets(self, pod: Entry) -> list[Entry]:
        found = self._store.collection("policy/poddisruptionbudgets").entries(pod.key.namespace)
        labels = pod.object["metadata"].get("labels")
        return [b for b in found if matches_labels((b.object.get("spec") or {}).get("selector"), labels)]

    def _spend(self, budget: Entry) -> None:
        """Takes one allowed disruption from the budget. Raises a 429 where none is left."""
        status = budget.object.get("status") or {}
        allowed = status.get("disruptionsAllowed", 0)
        if allowed > 0:
            return
        message = "Cannot evict pod as it would violate the pod's disruption budget."
        why = (
            f"The disruption budget {budget.key.name} needs {status.get('desiredHealthy', 0)} healthy pods and has "
            f"{status.get('currentHealthy', 0)} currently"
        )
        raise StatusError(429, "TooManyRequests", message, {"causes": [{"reason": "DisruptionBudget", "message": why}]})


_BINDING = GroupResource("", "pods/binding")


def _terminal(pod: Object) -> bool:
    status: dict[str, Any] = pod.get("status") or {}
    return status.get("phase") in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _scheduled(pod: Object, now: str) -> None:
    """Sets PodScheduled to True, as binding does."""
    status = pod.setdefault("status", {})
    conditions = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    status["conditions"] = [*conditions, condition]
