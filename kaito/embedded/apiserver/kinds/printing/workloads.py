"""Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs, autoscalers and their like."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kaito.embedded.apiserver.kinds.printing.text import (
    NONE,
    UNKNOWN,
    UNSET,
    age,
    containers,
    created,
    human_duration,
    labels,
    name,
    pointer_bool,
    selector,
)
from kaito.embedded.apiserver.schemas import times

Json = dict[str, Any]


def deployment_row(deployment: Json, now: datetime) -> list[Any]:
    spec, status = deployment.get("spec", {}), deployment.get("status", {})
    return [
        name(deployment),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(created(deployment), now),
        *containers(spec.get("template")),
        selector(spec.get("selector")),
    ]


def replica_set_row(replica_set: Json, now: datetime) -> list[Any]:
    spec, status = replica_set.get("spec", {}), replica_set.get("status", {})
    return [
        name(replica_set),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(created(replica_set), now),
        *containers(spec.get("template")),
        selector(spec.get("selector")),
    ]


def replication_controller_row(controller: Json, now: datetime) -> list[Any]:
    spec = controller.get("spec", {})
    shared = replica_set_row({**controller, "spec": {**spec, "selector": None}}, now)[:-1]
    return [*shared, labels(spec.get("selector"))]


def stateful_set_row(stateful_set: Json, now: datetime) -> list[Any]:
    spec, status = stateful_set.get("spec", {}), stateful_set.get("status", {})
    return [
        name(stateful_set),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        age(created(stateful_set), now),
        *containers(spec.get("template")),
    ]


def daemon_set_row(daemon_set: Json, now: datetime) -> list[Any]:
    spec, status = daemon_set.get("spec", {}), daemon_set.get("status", {})
    template = spec.get("template") or {}
    return [
        name(daemon_set),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels((template.get("spec") or {}).get("nodeSelector")),
        age(created(daemon_set), now),
        *containers(template),
        selector(spec.get("selector")),
    ]


def job_row(job: Json, now: datetime) -> list[Any]:
    spec, status = job.get("spec", {}), job.get("status", {})
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism", 0)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    duration = ""
    if start := status.get("startTime"):
        end = times.parse(status["completionTime"]) if status.get("completionTime") else now
        duration = human_duration((end - times.parse(start)).total_seconds())
    return [
        name(job),
        _job_status(job),
        completions,
        duration,
        age(created(job), now),
        *containers(spec.get("template")),
        selector(spec.get("selector")),
    ]


def _job_status(job: Json) -> str:
    true = {c.get("type") for c in job.get("status", {}).get("conditions") or () if c.get("status") == "True"}
    if job.get("metadata", {}).get("deletionTimestamp") and not true & {"Complete", "Failed"}:
        return "Terminating"
    for condition in ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition in true:
            return condition
    return "Running"


def cron_job_row(cron_job: Json, now: datetime) -> list[Any]:
    spec, status = cron_job.get("spec", {}), cron_job.get("status", {})
    job_spec = spec.get("jobTemplate", {}).get("spec", {})
    last = status.get("lastScheduleTime")
    return [
        name(cron_job),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        pointer_bool(spec.get("suspend")),
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        age(created(cron_job), now),
        *containers(job_spec.get("template")),
        selector(job_spec.get("selector")),
    ]


def controller_revision_row(revision: Json, now: datetime) -> list[Any]:
    owner = next((o for o in revision.get("metadata", {}).get("ownerReferences") or () if o.get("controller")), None)
    controller = NONE
    if owner is not None:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        controller = f"{owner.get('kind', '').lower()}{'.' + group if group else ''}/{owner.get('name', '')}"
    return [name(revision), controller, revision.get("revision", 0), age(created(revision), now)]


def disruption_budget_row(budget: Json, now: datetime) -> list[Any]:
    spec, status = budget.get("spec", {}), budget.get("status", {})
    return [
        name(budget),
        str(spec["minAvailable"]) if spec.get("minAvailable") is not None else "N/A",
        str(spec["maxUnavailable"]) if spec.get("maxUnavailable") is not None else "N/A",
        status.get("disruptionsAllowed", 0),
        age(created(budget), now),
    ]


def autoscaler_row(autoscaler: Json, now: datetime) -> list[Any]:
    spec, status = autoscaler.get("spec", {}), autoscaler.get("status", {})
    target = spec.get("scaleTargetRef", {})
    minimum = spec.get("minReplicas")
    return [
        name(autoscaler),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec, status),
        UNSET if minimum is None else str(minimum),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(created(autoscaler), now),
    ]


def _metrics(spec: Json, status: Json) -> str:
    if (percent := spec.get("targetCPUUtilizationPercentage")) is not None:  # autoscaling/v1
        current = status.get("currentCPUUtilizationPercentage")
        return f"cpu: {UNKNOWN if current is None else f'{current}%'}/{percent}%"
    found = []
    current_metrics = status.get("currentMetrics") or []
    for index, metric in enumerate((spec.get("metrics") or [])[:2]):
        current = current_metrics[index] if index < len(current_metrics) else {}
        found.append(_metric(metric, current))
    text = ", ".join(found) or NONE
    more = len(spec.get("metrics") or []) - 2
    return f"{text} + {more} more..." if more > 0 else text


def _metric(metric: Json, current: Json) -> str:
    source = metric.get("type", "")
    key = source[:1].lower() + source[1:]
    body, target = metric.get(key) or {}, (metric.get(key) or {}).get("target", {})
    now = (current.get(key) or {}).get("current", {})
    label = f"{body.get('name', '')}: " if source in ("Resource", "ContainerResource") else ""
    if source == "Resource" and target.get("averageUtilization") is not None:
        value = now.get("averageUtilization")
        return f"{label}{UNKNOWN if value is None else f'{value}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        average = " (avg)" if source in ("External", "Object") else ""
        return f"{label}{now.get('averageValue') or UNKNOWN}/{target['averageValue']}{average}"
    return f"{label}{now.get('value') or UNKNOWN}/{target.get('value', '<auto>')}"
