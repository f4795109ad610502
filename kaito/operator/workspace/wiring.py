"""Which objects wake which workspace, and the controller that reconciles them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kaito.api import labels
from kaito.kube.controller import Controller
from kaito.kube.events import EventRecorder
from kaito.kube.informer import Change
from kaito.kube.manager import Manager
from kaito.kube.objects import Key, controller_of, key_of
from kaito.kube.resources import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NODE_CLAIMS,
    NODES,
    PODS,
    SERVICES,
    STATEFUL_SETS,
    STORAGE_CLASSES,
    WORKSPACES,
    Resource,
)
from kaito.operator.manifests import selection
from kaito.operator.manifests.choices import tuning_config_map
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace.context import Context
from kaito.operator.workspace.reconciler import WorkspaceReconciler
from kaito.operator.workspace.store import Grouping, Store

COMPONENT = "Workspace"
NODE_CLAIM_COMPONENT = "KAITO-Workspace-controller"

_NAMED_AS_WORKSPACE = (JOBS, SERVICES, STATEFUL_SETS)
"""A stranger's object may hold a name that a workspace needs: it is woken when that goes."""
_MOUNT_TROUBLES = "involvedObject.kind=Pod,reason=FailedMount"
_OPTIONAL = (DEPLOYMENTS, EVENTS, STORAGE_CLASSES)
"""Looked up where the server has them, never waited for."""


def add_workspace_controller(manager: Manager, settings: OperatorSettings) -> Controller:
    """Add the controller to a manager; it works once the manager runs and the CRDs are there."""
    resources = [WORKSPACES, *GROUPINGS, CONFIG_MAPS, DEPLOYMENTS, STORAGE_CLASSES]
    if not settings.provisions_nodes:
        resources.remove(NODE_CLAIMS)
    informers = {resource: manager.informer(resource) for resource in resources}
    informers[EVENTS] = manager.informer(EVENTS, field_selector=_MOUNT_TROUBLES)
    store = Store(manager.client, manager.clock, informers.values(), {**GROUPINGS, EVENTS: by_involved_object})
    context = Context(
        store=store,
        settings=settings,
        events=EventRecorder(manager.client, COMPONENT, manager.clock),
        node_events=EventRecorder(manager.client, NODE_CLAIM_COMPONENT, manager.clock),
        clock=manager.clock,
    )
    controller = Controller(
        "workspace", WorkspaceReconciler(context).reconcile, workers=settings.workers, clock=manager.clock
    )
    for resource, informer in informers.items():
        wake = _Waking(controller, store, settings, resource)
        informer.add_handler(wake)
        if resource not in _OPTIONAL:
            controller.informers.append(informer)
    return manager.add(controller)


def by_owner(obj: Mapping[str, Any]) -> Iterable[Key]:
    """The workspace that controls an object."""
    owner = controller_of(obj)
    if owner and owner["kind"] == "Workspace" and str(owner["apiVersion"]).startswith("kaito.sh/"):
        yield Key(obj["metadata"]["namespace"], owner["name"])


def by_ownership_labels(obj: Mapping[str, Any]) -> Iterable[Key]:
    """The workspace that the labels of a node claim or node name."""
    found = obj["metadata"].get("labels") or {}
    name, namespace = found.get(labels.WORKSPACE_NAME), found.get(labels.WORKSPACE_NAMESPACE)
    if name and namespace:
        yield Key(namespace, name)


def by_pod_label(obj: Mapping[str, Any]) -> Iterable[Key]:
    """The workspace of a pod."""
    name = (obj["metadata"].get("labels") or {}).get(labels.WORKSPACE_NAME)
    if name:
        yield Key(obj["metadata"]["namespace"], name)


def by_involved_object(event: Mapping[str, Any]) -> Iterable[Key]:
    """The pod that an Event is about: Events are looked up by pod, not by workspace."""
    involved = event["involvedObject"]
    yield Key(involved.get("namespace") or "", involved["name"])


GROUPINGS: Mapping[Resource, Grouping] = {
    CONTROLLER_REVISIONS: by_owner,
    NODE_CLAIMS: by_ownership_labels,
    NODES: by_ownership_labels,
    SERVICES: by_owner,
    STATEFUL_SETS: by_owner,
    JOBS: by_owner,
    PODS: by_pod_label,
}


class _Waking:
    """A change handler that queues the workspaces a change matters to.

    The versions this process wrote itself wake nobody: the pass that wrote them has gone on from them.
    """

    def __init__(self, controller: Controller, store: Store, settings: OperatorSettings, resource: Resource) -> None:
        self._queue = controller.queue
        self._store = store
        self._settings = settings
        self._resource = resource

    def __call__(self, change: Change) -> None:
        if change.type != "DELETED" and self._store.is_own(self._resource, change.object):
            return
        if change.type == "MODIFIED" and self._is_heartbeat(change):
            return
        for obj in (change.object, change.old):
            if obj is not None:
                for key in self._keys(obj):
                    self._queue.add(key)

    def _keys(self, obj: Mapping[str, Any]) -> Iterable[Key]:
        if self._resource in (WORKSPACES, DEPLOYMENTS):
            return [key_of(obj)]
        if self._resource == CONFIG_MAPS:
            return self._users_of(obj)
        if self._resource == NODES and not self._settings.provisions_nodes:
            return self._selecting(obj)
        if self._resource == EVENTS:
            pods = (self._store.get(PODS, key.name, key.namespace) for key in by_involved_object(obj))
            return [key for pod in pods if pod for key in by_pod_label(pod)]
        grouping = GROUPINGS.get(self._resource)
        keys = list(grouping(obj)) if grouping else []
        if not keys and self._resource in _NAMED_AS_WORKSPACE:
            return [key_of(obj)]
        return keys

    def _users_of(self, config_map: Mapping[str, Any]) -> Iterable[Key]:
        """Workspaces that read a ConfigMap: by name in their namespace, or any when it is the operator's own."""
        namespace, name = key_of(config_map)
        everyone = namespace == self._settings.release_namespace
        for workspace in self._store.all(WORKSPACES):
            if everyone or (workspace["metadata"]["namespace"] == namespace and name in _configs(workspace)):
                yield key_of(workspace)

    def _selecting(self, node: Mapping[str, Any]) -> Iterable[Key]:
        """Workspaces whose selector matches a node of the user's own."""
        found = (node["metadata"].get("labels") or {}).items()
        for workspace in self._store.all(WORKSPACES):
            if selection.match_labels(workspace).items() <= found:
                yield key_of(workspace)

    def _is_heartbeat(self, change: Change) -> bool:
        if self._resource != NODES or change.old is None:
            return False
        return _node_facts(change.object) == _node_facts(change.old)


def _configs(workspace: Mapping[str, Any]) -> list[str]:
    configs = [str((workspace.get("inference") or {}).get("config") or "")]
    if workspace.get("tuning"):
        configs.append(tuning_config_map(workspace))
    return configs


def _node_facts(node: Mapping[str, Any]) -> tuple[Any, ...]:
    """All that a reconcile reads of a node; heartbeat times are not in it."""
    metadata, status = node["metadata"], node.get("status") or {}
    verdicts = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    return metadata.get("labels"), metadata.get("deletionTimestamp"), verdicts, status.get("capacity")
