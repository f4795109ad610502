"""The controller of InferenceSets and what wakes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kaito.kube.controller import Controller
from kaito.kube.informer import Change
from kaito.kube.manager import Manager
from kaito.kube.objects import Key, controller_of, key_of
from kaito.kube.resources import CONTROLLER_REVISIONS, INFERENCE_SETS, WORKSPACES, Resource
from kaito.operator.inferenceset.reconciler import InferenceSetReconciler
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace.store import Store

INDEX = "inferenceset"


def add_inference_set_controller(manager: Manager, settings: OperatorSettings) -> Controller:
    """Add the controller to a manager; its workspaces need the workspace controller."""
    informers = {
        resource: manager.informer(resource) for resource in (INFERENCE_SETS, WORKSPACES, CONTROLLER_REVISIONS)
    }
    groupings = {WORKSPACES: by_owner, CONTROLLER_REVISIONS: by_owner}
    store = Store(manager.client, manager.clock, informers.values(), groupings, index=INDEX)
    reconciler = InferenceSetReconciler(store, settings, manager.clock)
    controller = Controller("inferenceset", reconciler.reconcile, workers=2, clock=manager.clock)

    def waking(resource: Resource) -> Any:
        def wake(change: Change) -> None:
            if change.type != "DELETED" and store.is_own(resource, change.object):
                return
            for obj in (change.object, change.old):
                if obj is not None:
                    for key in [key_of(obj)] if resource == INFERENCE_SETS else by_owner(obj):
                        controller.queue.add(key)

        return wake

    for resource, informer in informers.items():
        informer.add_handler(waking(resource))
        controller.informers.append(informer)
    return manager.add(controller)


def by_owner(obj: Mapping[str, Any]) -> Iterable[Key]:
    """The InferenceSet that controls an object."""
    owner = controller_of(obj)
    if owner and owner["kind"] == "InferenceSet" and str(owner["apiVersion"]).startswith("kaito.sh/"):
        yield Key(obj["metadata"]["namespace"], owner["name"])
