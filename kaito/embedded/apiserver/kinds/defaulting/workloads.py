"""Defaults of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers."""

from __future__ import annotations

import copy
from typing import Any, Final

from kaito.embedded.apiserver.kinds.defaulting.pods import default_template
from kaito.embedded.apiserver.kinds.defaulting.volumes import default_claim
from kaito.embedded.apiserver.schemas.decoding import emptied

Json = dict[str, Any]
QUARTER: Final = "25%"
TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
NO_LIMIT: Final = 2**31 - 1
SCALING_POLICIES: Final = {
    "scaleUp": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
    "scaleDown": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def default_deployment(deployment: Json) -> None:
    spec = deployment.setdefault("spec", {})
    default_template(spec.get("template"))
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            strategy["rollingUpdate"] = {}
        strategy["rollingUpdate"].setdefault("maxUnavailable", QUARTER)
        strategy["rollingUpdate"].setdefault("maxSurge", QUARTER)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def default_replica_set(replica_set: Json) -> None:
    spec = replica_set.setdefault("spec", {})
    default_template(spec.get("template"))
    spec.setdefault("replicas", 1)


def default_replication_controller(controller: Json) -> None:
    spec = controller.setdefault("spec", {})
    default_template(spec.get("template"))
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not controller.setdefault("metadata", {}).get("labels"):
            controller["metadata"]["labels"] = dict(labels)
    spec.setdefault("replicas", 1)


def default_stateful_set(stateful_set: Json) -> None:
    spec = stateful_set.setdefault("spec", {})
    default_template(spec.get("template"))
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        strategy["rollingUpdate"].setdefault("partition", 0)
    policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    policy.setdefault("whenDeleted", "Retain")
    policy.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        default_claim(claim)


def default_daemon_set(daemon_set: Json) -> None:
    annotations = daemon_set.setdefault("metadata", {}).get("annotations", {})
    # Go keeps the template generation in a field of its own and writes it back as this annotation.
    daemon_set["metadata"]["annotations"] = {TEMPLATE_GENERATION: "0", **annotations}
    spec = daemon_set.setdefault("spec", {})
    default_template(spec.get("template"))
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            strategy["rollingUpdate"] = {}
        strategy["rollingUpdate"].setdefault("maxUnavailable", 1)
        strategy["rollingUpdate"].setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)


def default_job(job: Json) -> None:
    spec = job.setdefault("spec", {})
    default_template(spec.get("template"))
    _default_failure_policy(spec)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", NO_LIMIT if "backoffLimitPerIndex" in spec else 6)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels and not job.setdefault("metadata", {}).get("labels"):
        # One map for both, as in Go: what strategy adds to the template's labels is then seen on the job too.
        job["metadata"]["labels"] = labels
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")


def _default_failure_policy(spec: Json) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
            if pattern["status"] == "":
                pattern["status"] = "True"


def default_cron_job(cron_job: Json) -> None:
    spec = cron_job.setdefault("spec", {})
    job_spec = spec.get("jobTemplate", {}).get("spec", {})
    default_template(job_spec.get("template"))
    _default_failure_policy(job_spec)
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)


def default_autoscaler(autoscaler: Json) -> None:
    spec = autoscaler.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if autoscaler.get("apiVersion") == "autoscaling/v1":
        spec.setdefault("targetCPUUtilizationPercentage", 80)
    elif not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if (behavior := spec.get("behavior")) is not None:
        for field, policies in SCALING_POLICIES.items():
            rules = behavior.setdefault(field, {})
            rules.setdefault("selectPolicy", "Max")
            if emptied(rules, "policies") is None:
                rules.setdefault("policies", copy.deepcopy(policies))
        behavior["scaleUp"].setdefault("stabilizationWindowSeconds", 0)
