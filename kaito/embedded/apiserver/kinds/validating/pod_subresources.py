"""What the subresources of pods may change: ephemeral containers, and resources in place."""

from __future__ import annotations

import copy
from typing import Any, Final

from kaito.embedded.apiserver.kinds.causes import duplicate, forbidden, not_found
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.containers import check_container

Json = dict[str, Any]
_NOT_EPHEMERAL: Final = (
    "lifecycle", "livenessProbe", "ports", "readinessProbe", "resizePolicy", "resources", "restartPolicy",
    "startupProbe",
)  # fmt: skip
_CANNOT: Final = "cannot be set for an Ephemeral Container"


def check_ephemeral_containers(spec: Json, path: str, volumes: set[str]) -> list[Cause]:
    """validateEphemeralContainers: unique names, targets that exist, and nothing that a pod relies upon."""
    causes: list[Cause] = []
    others = {c.get("name", "") for field in ("containers", "initContainers") for c in spec.get(field) or ()}
    names = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        here, name = f"{path}[{index}]", container.get("name", "")
        causes += check_container(container, here, volumes)
        if name in names:
            causes.append(duplicate(f"{here}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            causes.append(not_found(f"{here}.targetContainerName", target))
        causes += [forbidden(f"{here}.{field}", _CANNOT) for field in _NOT_EPHEMERAL if container.get(field)]
        for at, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    causes.append(forbidden(f"{here}.volumeMounts[{at}].{field}", _CANNOT))
    return causes


def check_ephemeral_update(new: Json, old: Json) -> list[Cause]:
    """Ephemeral containers are only ever added. (The real server goes on with the difference in Go's form.)"""
    present = {c.get("name"): c for c in (new.get("spec") or {}).get("ephemeralContainers") or ()}
    causes: list[Cause] = []
    for container in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in present:
            detail = f'existing ephemeral containers "{name}" may not be removed\n'
            causes.append(forbidden("spec.ephemeralContainers", detail))
        elif present[name] != container:
            detail = f'existing ephemeral containers "{name}" may not be changed\n'
            causes.append(forbidden("spec.ephemeralContainers", detail))
    return causes


def check_resize(new: Json, old: Json) -> list[Cause]:
    """ValidatePodResize: of all that containers have, CPU and memory may change."""
    if _without_cpu_and_memory(new) == _without_cpu_and_memory(old):
        return []
    return [forbidden("spec", "only cpu and memory resources are mutable")]


def _without_cpu_and_memory(pod: Json) -> Json:
    spec: Json = copy.deepcopy(pod.get("spec") or {})
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            kept = {
                part: {name: amount for name, amount in (resources.get(part) or {}).items() if name not in _CHANGEABLE}
                for part in ("limits", "requests")
            }
            container["resources"] = {**resources, **kept}
    return spec


_CHANGEABLE: Final = ("cpu", "memory")
