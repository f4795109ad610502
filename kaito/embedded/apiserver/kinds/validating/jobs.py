"""Jobs and CronJobs."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.internal import internal_template
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.strategy import (
    CONTROLLER_UID,
    JOB_NAME,
    LEGACY_CONTROLLER_UID,
    LEGACY_JOB_NAME,
)
from kaito.embedded.apiserver.kinds.validating.pods import check_template
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector, matches, not_negative
from kaito.embedded.apiserver.kinds.validating.workloads import MISMATCH, template_labels

Json = dict[str, Any]
ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
SCHEDULE_FIELD: Final = re.compile(r"[\d*,/?\-A-Za-z]+")
MAXIMUM_NAME: Final = 52


def check_job(job: Json) -> list[Cause]:
    spec = job.get("spec") or {}
    causes = _check_generated_selector(job)
    causes += check_job_spec(spec, "spec")
    return causes


def _check_generated_selector(job: Json) -> list[Cause]:
    """Without manualSelector the selector must be the generated one and nothing else."""
    spec = job.get("spec") or {}
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    uid = (job.get("metadata") or {}).get("uid", "")
    name = (job.get("metadata") or {}).get("name", "")
    expected = {LEGACY_CONTROLLER_UID: uid, LEGACY_JOB_NAME: name, CONTROLLER_UID: uid, JOB_NAME: name}
    labels = template_labels(spec)
    causes: list[Cause] = []
    for key, value in expected.items():
        here, detail = f"spec.template.metadata.labels[{key}]", f"must be '{value}'"
        if key not in (labels or {}):
            causes.append(required(here, detail))
        elif (labels or {})[key] != value:
            causes.append(invalid(here, labels, detail))
    if not check_selector(selector, "") and not matches(selector, expected):
        causes.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    return causes


def check_job_spec(spec: Json, path: str, *, of_cron_job: bool = False) -> list[Cause]:
    causes = _check_numbers(spec, path)
    if not of_cron_job:
        selector = spec.get("selector")
        causes += [required(f"{path}.selector")] if selector is None else check_selector(selector, f"{path}.selector")
        labels = template_labels(spec)
        if not check_selector(selector, "") and not matches(selector, labels or {}):
            causes.append(invalid(f"{path}.template.metadata.labels", labels, MISMATCH))
    pod = (spec.get("template") or {}).get("spec") or {}
    causes += _check_failure_policy(spec, path)
    causes += check_template(spec.get("template") or {}, f"{path}.template")
    policy = pod.get("restartPolicy", "")
    if policy in ("", "Always"):
        causes.append(required(f"{path}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        causes.append(not_supported(f"{path}.template.spec.restartPolicy", policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        causes.append(invalid(f"{path}.template.spec.restartPolicy", policy, detail))
    return causes


def _check_numbers(spec: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
    ):  # fmt: skip
        causes += not_negative(spec.get(field), f"{path}.{field}")
    mode = spec.get("completionMode")
    indexed = mode == "Indexed"
    if spec.get("backoffLimitPerIndex") is not None and not indexed:
        detail = "requires indexed completion mode"
        causes.append(invalid(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], detail))
    if spec.get("successPolicy") is not None and not indexed:
        rules = {"Rules": spec["successPolicy"].get("rules")}
        causes.append(invalid(f"{path}.successPolicy", rules, "requires indexed completion mode"))
    if spec.get("maxFailedIndexes") is not None and not indexed:
        detail = "requires indexed completion mode"
        causes.append(invalid(f"{path}.maxFailedIndexes", spec["maxFailedIndexes"], detail))
    if spec.get("maxFailedIndexes") is not None:
        causes += not_negative(spec["maxFailedIndexes"], f"{path}.maxFailedIndexes")
        if spec.get("backoffLimitPerIndex") is None:
            causes.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if mode is not None:
        if mode not in ("NonIndexed", "Indexed"):
            causes.append(not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
        if indexed and spec.get("completions") is None:
            causes.append(required(f"{path}.completions", f"when completion mode is {mode}"))
    replacement = spec.get("podReplacementPolicy")
    if replacement is not None:
        if spec.get("podFailurePolicy") is not None:
            if replacement != "Failed":
                causes.append(not_supported(f"{path}.podReplacementPolicy", replacement, ("Failed",)))
        elif replacement not in ("Failed", "TerminatingOrFailed"):
            options = ("Failed", "TerminatingOrFailed")
            causes.append(not_supported(f"{path}.podReplacementPolicy", replacement, options))
    return causes


def _check_failure_policy(spec: Json, path: str) -> list[Cause]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return []
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {c.get("name") for c in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))}
    causes: list[Cause] = []
    for index, rule in enumerate(policy.get("rules") or ()):
        here = f"{path}.podFailurePolicy.rules[{index}]"
        action, codes = rule.get("action", ""), rule.get("onExitCodes")
        conditions = rule.get("onPodConditions") or []
        if not action:
            causes.append(required(f"{here}.action", 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'))
        elif action not in ACTIONS:
            causes.append(not_supported(f"{here}.action", action, ACTIONS))
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            detail = "requires the backoffLimitPerIndex to be set"
            causes.append(invalid(f"{here}.action", action, detail))
        if codes is not None:
            causes += _check_exit_codes(codes, f"{here}.onExitCodes", containers)
        for at, condition in enumerate(conditions):
            causes += _check_condition(condition, f"{here}.onPodConditions[{at}]")
        if codes is not None and conditions:
            detail = "specifying both OnExitCodes and OnPodConditions is not supported"
            causes.append(Cause(here, f"Invalid value: {detail}"))
        elif codes is None and not conditions:
            detail = "specifying one of OnExitCodes and OnPodConditions is required"
            causes.append(Cause(here, f"Invalid value: {detail}"))
    return causes


def _check_exit_codes(codes: Json, path: str, containers: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    operator, values = codes.get("operator", ""), codes.get("values") or []
    if not operator:
        causes.append(required(f"{path}.operator", 'valid values: ["In" "NotIn"]'))
    elif operator not in ("In", "NotIn"):
        causes.append(not_supported(f"{path}.operator", operator, ("In", "NotIn")))
    name = codes.get("containerName")
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        causes.append(invalid(f"{path}.containerName", name, detail))
    if not values:
        causes.append(invalid(f"{path}.values", [], "at least one value is required"))
    ordered = True
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            causes.append(Cause(f"{path}.values[{index}]", f"Duplicate value: {value}", "FieldValueDuplicate"))
        seen.add(value)
        ordered = ordered and (index == 0 or values[index - 1] <= value)
    if not ordered:
        causes.append(invalid(f"{path}.values", values, "must be ordered"))
    return causes


def _check_condition(condition: Json, path: str) -> list[Cause]:
    kind, status = condition.get("type", ""), condition.get("status", "")
    causes = [required(f"{path}.type")] if not kind else invalid_each(f"{path}.type", kind, names.qualified_name(kind))
    if status not in ("True", "False", "Unknown"):
        causes.append(not_supported(f"{path}.status", status, ("False", "True", "Unknown")))
    return causes


def check_job_update(new: Json, old: Json) -> list[Cause]:
    """completions (while not an elastic indexed Job), selector, template and modes stay as they are."""
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    causes = check_job_spec(spec, "spec")
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions != known.get("completions"):
        elastic = spec.get("completionMode") == "Indexed" and completions is not None and completions == parallelism
        if not elastic:
            causes.append(invalid("spec.completions", completions, names.IMMUTABLE))
    if spec.get("selector") != known.get("selector"):
        causes.append(invalid("spec.selector", spec.get("selector"), names.IMMUTABLE))
    if _fixed_template(spec, known) != (known.get("template") or {}):
        causes.append(invalid("spec.template", internal_template(spec.get("template") or {}), names.IMMUTABLE))
    for field in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        if spec.get(field) != known.get(field):
            causes.append(invalid(f"spec.{field}", spec.get(field), names.IMMUTABLE))
    return causes


def _fixed_template(spec: Json, known: Json) -> Json:
    """A suspended Job that never started may change where its pods go; what is left over must be the same."""
    template: Json = spec.get("template") or {}
    if not (known.get("suspend") and spec.get("suspend")) and not known.get("suspend"):
        return template
    before = known.get("template") or {}
    pod, pod_before = dict(template.get("spec") or {}), before.get("spec") or {}
    for field in ("nodeSelector", "affinity", "tolerations", "schedulingGates"):
        if field in pod_before:
            pod[field] = pod_before[field]
        else:
            pod.pop(field, None)
    return {**template, "metadata": before.get("metadata") or {}, "spec": pod}


def check_cron_job(cron_job: Json) -> list[Cause]:
    spec = cron_job.get("spec") or {}
    causes: list[Cause] = []
    schedule = spec.get("schedule", "")
    if not schedule:
        causes.append(required("spec.schedule"))
    else:
        causes += _check_schedule(schedule)
    causes += not_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    policy = spec.get("concurrencyPolicy", "")
    if policy not in ("Allow", "Forbid", "Replace"):
        options = ("Allow", "Forbid", "Replace")
        causes.append(not_supported("spec.concurrencyPolicy", policy, options))
    causes += _check_time_zone(spec.get("timeZone"))
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        causes += not_negative(spec.get(field), f"spec.{field}")
    template = spec.get("jobTemplate") or {}
    causes += check_job_spec(template.get("spec") or {}, "spec.jobTemplate.spec", of_cron_job=True)
    name = (cron_job.get("metadata") or {}).get("name", "")
    if len(name) > MAXIMUM_NAME:
        causes.append(invalid("metadata.name", name, names.at_most(MAXIMUM_NAME)))
    return causes


def _check_schedule(schedule: str) -> list[Cause]:
    if schedule.startswith("@"):
        known = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
        fits = schedule in known or schedule.startswith("@every ")
        return [] if fits else [invalid("spec.schedule", schedule, f"unrecognized descriptor: {schedule}")]
    fields = schedule.split()
    if len(fields) != 5:
        detail = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        return [invalid("spec.schedule", schedule, detail)]
    for field in fields:
        if not SCHEDULE_FIELD.fullmatch(field):
            return [invalid("spec.schedule", schedule, f"failed to parse int from {field}: invalid syntax")]
    return []


def _check_time_zone(zone: str | None) -> list[Cause]:
    if zone is None:
        return []
    if zone == "":
        return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid("spec.timeZone", zone, detail)]
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return [invalid("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []
