"""Finds the steps that speak of a workspace which no step before them has made: found now instead of by a timeout."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from kaito.kube.discovery import resource_named
from kaito.kube.resources import INFERENCE_SETS, WORKSPACES
from kaito.scenario.schema import Scenario, Step

Manifests = Mapping[str, list[dict[str, Any]]]
"""Objects by the path that the scenario names."""


def unknown_references(scenario: Scenario, manifests: Manifests) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """The place in the file of each such step, and what is wrong there.

    An InferenceSet makes workspaces of its own, under names that only the cluster knows: after one nothing is said.
    A Service may be asked under any name that was applied, of a workspace or of a Service.
    """
    workspaces: set[str] = set()
    services: set[str] = set()
    for index, step in enumerate(scenario.spec.steps):
        applied = manifests[step.apply] if step.apply is not None else []
        for obj in applied:
            if obj["kind"] == INFERENCE_SETS.kind:
                return
            if obj["kind"] in (WORKSPACES.kind, "Service"):
                services.add(obj["metadata"]["name"])
            if obj["kind"] == WORKSPACES.kind:
                workspaces.add(obj["metadata"]["name"])
        place = ("spec", "steps", index)
        name = _workspace(step)
        if name is not None and name not in workspaces:
            yield (*place, step.operation[0], "object"), _sentence(f"makes a workspace {name}", name, workspaces)
        if step.ask is not None and step.ask.service not in services:
            service = step.ask.service
            yield (*place, "ask", "service"), _sentence(f"makes a service {service}", service, services)


def _workspace(step: Step) -> str | None:
    """The workspace that a step needs to be there."""
    subject = step.assert_.object if step.assert_ else step.wait.object if step.wait and not step.wait.absent else None
    return subject.name if subject and resource_named(subject.kind) is WORKSPACES else None


def _sentence(what: str, name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"no step before this one {what}{f'; did you mean {near[0]}?' if near else ''}"
