"""Deployments, ReplicaSets, StatefulSets, DaemonSets, disruption budgets and controller revisions."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.internal import internal
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.raw_text import Raw, text_of
from kaito.embedded.apiserver.kinds.validating.pods import check_template
from kaito.embedded.apiserver.kinds.validating.selectors import (
    check_at_most_all,
    check_count_or_percent,
    check_labels,
    check_selector,
    is_empty,
    is_zero,
    matches,
    not_negative,
)
from kaito.embedded.apiserver.kinds.validating.storage import check_claim_spec
from kaito.embedded.apiserver.schemas.decoding import emptied, in_order

Json = dict[str, Any]
EVICTION_POLICIES: Final = ("AlwaysAllow", "IfHealthyBudget")
MISMATCH: Final = "`selector` does not match template `labels`"
STATEFUL_UPDATE: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
STATEFUL_MUTABLE: Final = frozenset(
    [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ]
)


def template_labels(spec: Json) -> Json | None:
    """The template's labels as messages show them: None where there are none, {} where none were sent as {}."""
    metadata = (spec.get("template") or {}).get("metadata")
    labels = metadata.get("labels") if metadata is not None else None
    return dict(sorted(labels.items())) if labels else emptied(metadata, "labels")


def _check_own_selector(spec: Json, word: str) -> list[Cause]:
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    causes = check_selector(selector, "spec.selector")
    if is_empty(selector):
        causes.append(invalid("spec.selector", selector, f"empty selector is invalid for {word}"))
    return causes


def _check_match(spec: Json) -> list[Cause]:
    """The template's labels must be selected, by a selector that says anything at all."""
    selector = spec.get("selector")
    if is_empty(selector):
        return []
    if not matches(selector, template_labels(spec) or {}):
        return [invalid("spec.template.metadata.labels", template_labels(spec), MISMATCH)]
    return []


def _check_always(spec: Json, word: str = "ReplicaSet") -> list[Cause]:
    """Pods of a controller run for ever: restart policy Always and no deadline."""
    pod = (spec.get("template") or {}).get("spec") or {}
    causes: list[Cause] = []
    if pod.get("restartPolicy") != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy", ""), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {word} is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    return causes


def _check_replica_template(spec: Json) -> list[Cause]:
    template = spec.get("template")
    if template is None:
        return [required("spec.template")]
    if check_selector(spec.get("selector"), ""):
        return [invalid("spec.selector", spec["selector"], "invalid label selector")]
    return [*_check_match(spec), *check_template(template, "spec.template"), *_check_always(spec)]


def check_deployment(deployment: Json) -> list[Cause]:
    spec = deployment.get("spec") or {}
    causes = not_negative(spec.get("replicas"), "spec.replicas")
    causes += _check_own_selector(spec, "deployment")
    causes += _check_replica_template(spec)
    causes += _check_deployment_strategy(spec.get("strategy") or {})
    causes += not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    causes += not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        causes += not_negative(deadline, "spec.progressDeadlineSeconds")
        if deadline <= spec.get("minReadySeconds", 0):
            detail = "must be greater than minReadySeconds"
            causes.append(invalid("spec.progressDeadlineSeconds", deadline, detail))
    return causes


def _check_deployment_strategy(strategy: Json) -> list[Cause]:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            return [forbidden("spec.strategy.rollingUpdate", detail)]
        return []
    if kind != "RollingUpdate":
        return [
            not_supported("spec.strategy", internal("apps.DeploymentStrategy", strategy), ("Recreate", "RollingUpdate"))
        ]
    if rolling is None:
        return [required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil")]
    return check_rolling_update(rolling, "spec.strategy.rollingUpdate")


def check_rolling_update(rolling: Json, path: str) -> list[Cause]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = check_count_or_percent(unavailable, f"{path}.maxUnavailable")
    causes += check_count_or_percent(surge, f"{path}.maxSurge")
    if is_zero(unavailable) and is_zero(surge):
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return causes + check_at_most_all(unavailable, f"{path}.maxUnavailable")


def check_selector_kept(new: Json, old: Json) -> list[Cause]:
    selector = (new.get("spec") or {}).get("selector")
    if selector != (old.get("spec") or {}).get("selector"):
        return [invalid("spec.selector", selector, names.IMMUTABLE)]
    return []


def check_replica_set(replica_set: Json) -> list[Cause]:
    spec = replica_set.get("spec") or {}
    causes = not_negative(spec.get("replicas"), "spec.replicas")
    causes += not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    causes += _check_own_selector(spec, "deployment")
    return causes + _check_replica_template(spec)


def check_stateful_set(stateful_set: Json, *, updating: bool = False) -> list[Cause]:
    spec = stateful_set.get("spec") or {}
    causes: list[Cause] = []
    policy = spec.get("podManagementPolicy", "")
    if policy not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        field = "spec.podManagementPolicy"
        causes.append(invalid(field, policy, detail) if policy else required(field))
    causes += _check_stateful_strategy(spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field in ("whenDeleted", "whenScaled"):
        if retention.get(field) not in ("Retain", "Delete"):
            here = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
            causes.append(not_supported(here, retention.get(field, ""), ("Retain", "Delete")))
    causes += not_negative(spec.get("replicas"), "spec.replicas")
    causes += not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    if (ordinals := spec.get("ordinals")) is not None:
        causes += not_negative(ordinals.get("start", 0), "spec.ordinals.start")
    causes += _check_own_selector(spec, "statefulset")
    if not updating and (name := spec.get("serviceName")):
        causes += invalid_each("spec.serviceName", name, names.label(name))
    causes += not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")
    for index, claim in enumerate(() if updating else spec.get("volumeClaimTemplates") or ()):
        causes += check_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
    if check_selector(spec.get("selector"), ""):
        return [*causes, invalid("spec.selector", spec["selector"], "")]
    causes += _check_match(spec)
    causes += check_labels(template_labels(spec) or {}, "spec.template.labels")
    causes += check_template(_with_claims(spec), "spec.template")
    pod = (spec.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy", ""), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        detail = "activeDeadlineSeconds in StatefulSet is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    return causes


def _with_claims(spec: Json) -> Json:
    """The template with a volume for every claim template: containers may mount those by name."""
    template = spec.get("template") or {}
    claims = [(claim.get("metadata") or {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or ()]
    if not claims:
        return dict(template)
    pod = template.get("spec") or {}
    own = [volume for volume in pod.get("volumes") or () if volume.get("name") not in claims]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**template, "spec": {**pod, "volumes": [*own, *made]}}


def _check_stateful_strategy(strategy: Json) -> list[Cause]:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "":
        return [required("spec.updateStrategy")]
    if kind == "OnDelete":
        if rolling is None:
            return []
        shown = (internal("apps.StatefulSetUpdateStrategy", strategy) or {}).get("RollingUpdate")
        return [invalid("spec.updateStrategy.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind == "RollingUpdate":
        return not_negative((rolling or {}).get("partition", 0), "spec.updateStrategy.rollingUpdate.partition")
    shown = internal("apps.StatefulSetUpdateStrategy", strategy)
    return [invalid("spec.updateStrategy", shown, "must be 'RollingUpdate' or 'OnDelete'")]


def check_stateful_set_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    if any(spec.get(f) != known.get(f) for f in {*spec, *known} - STATEFUL_MUTABLE):
        return [forbidden("spec", STATEFUL_UPDATE)]
    return []


def check_daemon_set(daemon_set: Json) -> list[Cause]:
    spec = daemon_set.get("spec") or {}
    causes = check_selector(spec.get("selector"), "spec.selector")
    if spec.get("selector") is None or not is_empty(spec["selector"]):
        readable = not check_selector(spec.get("selector"), "")
        if readable and not matches(spec.get("selector"), template_labels(spec) or {}):
            causes.append(invalid("spec.template.metadata.labels", template_labels(spec), MISMATCH))
    else:
        causes.append(invalid("spec.selector", spec["selector"], "empty selector is invalid for daemonset"))
    causes += check_template(spec.get("template") or {}, "spec.template")
    pod = (spec.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy", ""), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        detail = "activeDeadlineSeconds in DaemonSet is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    causes += not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    causes += _check_daemon_strategy(spec.get("updateStrategy") or {})
    return causes + not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


def _check_daemon_strategy(strategy: Json) -> list[Cause]:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = internal("apps.DaemonSetUpdateStrategy", strategy)
        return [not_supported("spec.updateStrategy", shown, ("RollingUpdate", "OnDelete"))]
    path = "spec.updateStrategy.rollingUpdate"
    unavailable, surge = (rolling or {}).get("maxUnavailable"), (rolling or {}).get("maxSurge")
    causes = check_count_or_percent(unavailable, f"{path}.maxUnavailable")
    causes += check_count_or_percent(surge, f"{path}.maxSurge")
    if not is_zero(unavailable) and not is_zero(surge):
        causes.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif is_zero(unavailable) and is_zero(surge):
        causes.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return causes + check_at_most_all(unavailable, f"{path}.maxUnavailable")


def check_replication_controller(controller: Json) -> list[Cause]:
    spec = controller.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    causes = not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    causes += [] if selector else [required("spec.selector")]
    replicas = spec.get("replicas")
    causes += [required("spec.replicas")] if replicas is None else not_negative(replicas, "spec.replicas")
    if template is None:
        return [*causes, required("spec.template")]
    labels = template_labels(spec) or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        causes.append(invalid("spec.template.metadata.labels", template_labels(spec), MISMATCH))
    return [*causes, *check_template(template, "spec.template"), *_check_always(spec, "ReplicationController")]


def check_budget(budget: Json) -> list[Cause]:
    spec = budget.get("spec") or {}
    causes: list[Cause] = []
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    if minimum is not None and maximum is not None:
        shown = internal("policy.PodDisruptionBudgetSpec", spec)
        causes.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field, value in (("minAvailable", minimum), ("maxUnavailable", maximum)):
        if value is not None:
            causes += check_count_or_percent(value, f"spec.{field}") + check_at_most_all(value, f"spec.{field}")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, *EVICTION_POLICIES):
        causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))
    return causes + check_selector(spec.get("selector"), "spec.selector")


def check_controller_revision(revision: Json) -> list[Cause]:
    data = revision.get("data")
    if data is None:
        causes = [required("data", "data is mandatory")]
    else:
        causes = [] if isinstance(data, dict) else [required("data", "data must be a valid JSON object")]
    return causes + not_negative(revision.get("revision", 0), "revision")


def check_controller_revision_update(new: Json, old: Json) -> list[Cause]:
    causes = not_negative(new.get("revision", 0), "revision")
    if text_of(new.get("data")) != text_of(old.get("data")):
        data = new.get("data")
        # Patches sort the members of what they touch.
        shown = data if type(data) is Raw or data == old.get("data") else in_order(data)
        causes.append(invalid("data", shown, names.IMMUTABLE))
    return causes
