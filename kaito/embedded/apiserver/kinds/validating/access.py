"""RBAC: roles and their bindings."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.internal import internal
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector

Json = dict[str, Any]
GROUP: Final = "rbac.authorization.k8s.io"


def check_role(role: Json) -> list[Cause]:
    return _check_rules(role, namespaced=True)


def check_cluster_role(role: Json) -> list[Cause]:
    causes = _check_rules(role, namespaced=False)
    rule = role.get("aggregationRule")
    selectors = (rule or {}).get("clusterRoleSelectors") or []
    if rule is not None and not selectors:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        causes.append(required("aggregationRule.clusterRoleSelectors", detail))
    for index, selector in enumerate(selectors):
        path = f"aggregationRule.clusterRoleSelectors[{index}]"
        found = check_selector(selector, path)
        causes += [*found, invalid(path, None, "invalid label selector.")] if found else []
    return causes


def _check_rules(role: Json, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    for index, rule in enumerate(role.get("rules") or ()):
        path = f"rules[{index}]"
        urls = rule.get("nonResourceURLs") or []
        if not rule.get("verbs"):
            causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
        if urls:
            if namespaced:
                detail = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid(f"{path}.nonResourceURLs", urls, detail))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                detail = "rules cannot apply to both regular resources and non-resource URLs"
                causes.append(invalid(f"{path}.nonResourceURLs", urls, detail))
            continue
        if not rule.get("apiGroups"):
            causes.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            causes.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


def check_role_binding(binding: Json) -> list[Cause]:
    return _check_binding(binding, ("Role", "ClusterRole"))


def check_cluster_role_binding(binding: Json) -> list[Cause]:
    return _check_binding(binding, ("ClusterRole",))


def _check_binding(binding: Json, kinds: tuple[str, ...]) -> list[Cause]:
    role = binding.get("roleRef") or {}
    causes: list[Cause] = []
    if role.get("apiGroup") != GROUP:
        causes.append(not_supported("roleRef.apiGroup", role.get("apiGroup", ""), (GROUP,)))
    if role.get("kind") not in kinds:
        causes.append(not_supported("roleRef.kind", role.get("kind", ""), kinds))
    name = role.get("name", "")
    causes += invalid_each("roleRef.name", name, names.path_segment(name)) if name else [required("roleRef.name")]
    for index, subject in enumerate(binding.get("subjects") or ()):
        causes += _check_subject(subject, f"subjects[{index}]", cluster=len(kinds) == 1)
    return causes


def _check_subject(subject: Json, path: str, *, cluster: bool) -> list[Cause]:
    name, kind = subject.get("name", ""), subject.get("kind", "")
    causes = [] if name else [required(f"{path}.name")]
    if kind == "ServiceAccount":
        if name:
            causes += invalid_each(f"{path}.name", name, names.subdomain(name))
        if subject.get("apiGroup"):
            causes.append(not_supported(f"{path}.apiGroup", subject["apiGroup"], ("",)))
        if cluster and not subject.get("namespace"):
            causes.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if subject.get("apiGroup") != GROUP:
            causes.append(not_supported(f"{path}.apiGroup", subject.get("apiGroup", ""), (GROUP,)))
    else:
        causes.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return causes


def check_binding_update(new: Json, old: Json) -> list[Cause]:
    if new.get("roleRef") != old.get("roleRef"):
        return [invalid("roleRef", internal("rbac.RoleRef", new.get("roleRef")), "cannot change roleRef")]
    return []


def check_priority_class_update(new: Json, old: Json) -> list[Cause]:
    causes: list[Cause] = []
    if new.get("value", 0) != old.get("value", 0):
        causes.append(forbidden("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.append(invalid("preemptionPolicy", new.get("preemptionPolicy"), names.IMMUTABLE))
    return causes


def check_priority_class(priority: Json) -> list[Cause]:
    name, causes = (priority.get("metadata") or {}).get("name", ""), []
    if name.startswith("system-") and name not in ("system-node-critical", "system-cluster-critical"):
        detail = (
            "priority class names with 'system-' prefix are reserved for system use only. "
            f"error: {name} is not a known system priority class"
        )
        causes.append(forbidden("metadata.name", detail))
    elif priority.get("value", 0) > 1000000000 and not name.startswith("system-"):
        detail = "maximum allowed value of a user defined priority is 1000000000"
        causes.append(forbidden("value", detail))
    policy = priority.get("preemptionPolicy")
    if policy not in (None, "PreemptLowerPriority", "Never"):
        causes.append(not_supported("preemptionPolicy", policy, ("PreemptLowerPriority", "Never")))
    return causes
