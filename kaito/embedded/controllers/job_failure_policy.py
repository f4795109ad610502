"""A Job's podFailurePolicy. Source: pkg/controller/job/pod_failure_policy.go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kaito.embedded.controllers.pods import phase_of


class Match(NamedTuple):
    """What the first matching rule says about a failed pod."""

    action: str
    """FailJob, FailIndex, Ignore or Count."""
    message: str


def match(policy: Mapping[str, Any] | None, pod: Mapping[str, Any]) -> Match | None:
    """The first rule of the policy that matches the failed pod; None when none does or the pod has not failed."""
    if policy is None or phase_of(pod) != "Failed":
        return None
    metadata = pod["metadata"]
    subject = f"{metadata['namespace']}/{metadata['name']}"
    for index, rule in enumerate(policy.get("rules") or ()):
        action = rule["action"]
        if rule.get("onExitCodes") is not None:
            found = _matching_container(pod.get("status") or {}, rule["onExitCodes"])
            if found is not None:
                name, code = found
                return Match(
                    action,
                    f"Container {name} for pod {subject} failed with exit code {code} "
                    f"matching {action} rule at index {index}",
                )
        else:
            kind = _matching_condition(pod.get("status") or {}, rule.get("onPodConditions") or ())
            if kind is not None:
                return Match(action, f"Pod {subject} has condition {kind} matching {action} rule at index {index}")
    return None


def _matching_container(status: Mapping[str, Any], requirement: Mapping[str, Any]) -> tuple[str, int] | None:
    for each in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        terminated = (each.get("state") or {}).get("terminated")
        if terminated is None or requirement.get("containerName") not in (None, each["name"]):
            continue
        code = int(terminated.get("exitCode") or 0)
        listed = code in (requirement.get("values") or ())
        if code and listed == (requirement["operator"] == "In"):
            return each["name"], code
    return None


def _matching_condition(status: Mapping[str, Any], patterns: Any) -> str | None:
    for condition in status.get("conditions") or ():
        for pattern in patterns:
            wanted = pattern.get("status") or "True"
            if condition["type"] == pattern["type"] and condition["status"] == wanted:
                return str(condition["type"])
    return None
