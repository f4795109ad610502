"""What every step of a pass works with, and how a step says that it cannot go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaito.kube.clock import Clock
from kaito.kube.events import EventRecorder
from kaito.kube.objects import Key, key_of
from kaito.kube.resources import Resource
from kaito.operator.manifests import names
from kaito.operator.settings import OperatorSettings
from kaito.operator.workspace.store import Store
from kaito.operator.workspace.workloads import is_owned_by


class Blocked(Exception):
    """The workspace cannot go on until something outside of this pass changes; the message is for its conditions.

    No timed retry: whatever can change it (the workspace, a ConfigMap, a node) wakes the reconciler.
    """


@dataclass(frozen=True)
class Context:
    """The operator's side of a pass."""

    store: Store
    settings: OperatorSettings
    events: EventRecorder
    node_events: EventRecorder
    """Kaito's NodeClaim manager reports under a name of its own."""
    clock: Clock


@dataclass
class Scope:
    """What the steps of one pass over one workspace share."""

    context: Context
    workspace: Mapping[str, Any]
    """The object as this pass has written it last."""
    revision: int = 0
    """The number of the workspace's current revision."""
    target: int | None = None
    """Nodes needed; None until that is known."""

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def settings(self) -> OperatorSettings:
        return self.context.settings

    def owned(self, resource: Resource, name: str = "") -> dict[str, Any] | None:
        """The workspace's own object of a name (its own by default); None when there is none, or only a stranger's."""
        found = self.store.get(resource, name or self.name, self.namespace)
        return found if found is not None and is_owned_by(found, self.workspace) else None

    @property
    def key(self) -> Key:
        return key_of(self.workspace)

    @property
    def name(self) -> str:
        return names.name_of(self.workspace)

    @property
    def namespace(self) -> str:
        return names.namespace_of(self.workspace)
