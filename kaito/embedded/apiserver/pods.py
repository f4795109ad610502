"""What pods do beside being stored: binding to a node, eviction, and streams from their kubelet."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.deleting import Deleter, check_preconditions
from kaito.embedded.apiserver.disrupting import Budgets
from kaito.embedded.apiserver.errors import GroupResource, StatusError, bad_request, conflict
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Registry, Resource
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey
from kaito.embedded.apiserver.subresource_kinds import read_body, subresource_kind
from kaito.embedded.apiserver.write_options import DeleteOptions, delete_options, write_options
from kaito.embedded.apiserver.writing import Writer, timestamp, uid_conflict
from kaito.kube.clock import Clock

_CREATED = orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


class Pods:
    """Answers pods/binding and pods/eviction."""

    def __init__(
        self, registry: Registry, reader: Reader, writer: Writer, deleter: Deleter, budgets: Budgets, clock: Clock
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._writer = writer
        self._deleter = deleter
        self._budgets = budgets
        self._clock = clock

    async def bind(self, call: Call, _resource: Resource, namespace: str) -> web.StreamResponse:
        """Assigns the pod to a node, once (BindingREST). `/bindings`, the old path, takes its name from the body."""
        form = choose(call.accept, ("object", "partial"))
        options = write_options(call.query, call.headers, "CreateOptions")
        binding = await read_body(call, subresource_kind("v1", "Binding"), namespace, options.validation)
        metadata, target = binding["metadata"], binding.get("target") or {}
        name = call.info.name or metadata.get("name", "")
        if metadata.get("name", "") != name:
            raise bad_request("name in URL does not match name in Binding object")
        problems = []
        if target.get("kind", "") not in ("", "Node"):
            problems.append(f'target.kind: Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"')
        if not target.get("name"):
            problems.append("target.name: Required value")
        if problems:
            raise StatusError(500, "", problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
        if not name:
            raise bad_request("Name parameter required.")

        pods = self._registry.find("", "v1", "pods")
        assert pods is not None

        def assign(live: Entry | None) -> Object:
            assert live is not None
            pod: Object = orjson.loads(live.encoded)
            uid = live.object["metadata"]["uid"]
            if call.info.subresource and metadata.get("uid", uid) != uid:
                raise uid_conflict(pods, live.key, metadata["uid"], uid, dry_run=options.dry_run)
            why = _unbindable(pod)
            if why:
                raise conflict(_BINDING, name, why)
            pod["spec"]["nodeName"] = target["name"]
            if metadata.get("annotations"):
                pod["metadata"]["annotations"] = {
                    **(pod["metadata"].get("annotations") or {}),
                    **metadata["annotations"],
                }
            _set_condition(pod, {"type": "PodScheduled", "status": "True"}, timestamp(self._clock.now()))
            return pod

        key = ObjectKey(namespace, name)
        self._writer.rewrite(pods, key, assign, dry_run=options.dry_run)
        return await send(call, _CREATED, status=201, form=form)

    async def evict(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """Deletes the pod unless a PodDisruptionBudget forbids it (EvictionREST)."""
        form = choose(call.accept, ("object", "partial"))
        options = write_options(call.query, call.headers, "CreateOptions")
        eviction = await read_body(call, subresource_kind("policy/v1", "Eviction"), namespace, options.validation)
        name = call.info.name
        if eviction["metadata"].get("name", "") != name:
            raise bad_request("name in URL does not match name in Eviction object")
        asked = dict(eviction.get("deleteOptions") or {})
        if options.dry_run:
            asked.setdefault("dryRun", ["All"])
        dry_run = bool(asked.get("dryRun"))
        pod = self._reader.entry(resource, namespace, name)
        if not _terminal(pod.object):
            refusal = self._budgets.spend(pod, dry_run=dry_run)
            if refusal is not None:
                return await send(call, orjson.dumps(refusal), status=500, form=form)
        if not dry_run:
            self._mark(resource, pod.key, asked)
        await self._deleter.delete(call, resource, pod.key, delete_options(call.query, asked))
        return await send(call, _CREATED, status=201, form=form)

    def _mark(self, resource: Resource, key: ObjectKey, asked: dict[str, Any]) -> None:
        """Says on the pod why it goes; the preconditions of the deletion are those of this write first."""
        now = timestamp(self._clock.now())
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }

        preconditions = asked.get("preconditions") or {}
        expected = DeleteOptions(
            uid=preconditions.get("uid") or None, resource_version=preconditions.get("resourceVersion") or None
        )

        def mark(live: Entry | None) -> Object:
            assert live is not None
            check_preconditions(resource, live, expected)
            pod: Object = orjson.loads(live.encoded)
            _set_condition(pod, condition, now)
            return pod

        marked = self._writer.rewrite(resource, key, mark)
        if expected.resource_version:
            asked["preconditions"] = {**preconditions, "resourceVersion": marked.object["metadata"]["resourceVersion"]}


_BINDING = GroupResource("", "pods/binding")


def _unbindable(pod: Object) -> str:
    """Why a pod cannot be assigned to a node; "" where it can."""
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if pod["spec"].get("nodeName"):
        return f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
    return f"pod {name} has non-empty .spec.schedulingGates" if pod["spec"].get("schedulingGates") else ""


def _terminal(pod: Object) -> bool:
    status: dict[str, Any] = pod.get("status") or {}
    return status.get("phase") in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _set_condition(pod: Object, condition: dict[str, Any], now: str) -> None:
    """Sets a condition in its place; its time moves only with its status (UpdatePodCondition)."""
    status = pod.setdefault("status", {})
    conditions = list(status.get("conditions") or ())
    at = next((n for n, c in enumerate(conditions) if c.get("type") == condition["type"]), len(conditions))
    before = conditions[at] if at < len(conditions) else {}
    changed = before.get("lastTransitionTime", now) if before.get("status") == condition["status"] else now
    conditions[at : at + 1] = [
        {"lastProbeTime": before.get("lastProbeTime"), "lastTransitionTime": changed, **condition}
    ]
    status["conditions"] = conditions
