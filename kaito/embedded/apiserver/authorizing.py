"""RBAC: what a user may do, from the Roles and bindings in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from kaito.embedded.apiserver.errors import GroupResource, StatusError, forbidden
from kaito.embedded.apiserver.identity import User, service_account_name
from kaito.embedded.apiserver.routing import RequestInfo
from kaito.embedded.apiserver.store import Event, Object, ObjectKey, Store
from kaito.kube.objects import matches_labels

_GROUP = "rbac.authorization.k8s.io"
_COLLECTIONS = tuple(f"{_GROUP}/{name}" for name in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"))
_USERS_KEPT = 1000
Rule = dict[str, Any]


class Grant(NamedTuple):
    """A rule that holds in a namespace (None: the whole cluster), and through which binding."""

    namespace: str | None
    rule: Rule
    why: str


@dataclass(frozen=True)
class Attributes:
    """One thing somebody wants to do; `path` for what is no resource."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def attributes_of(info: RequestInfo) -> Attributes:
    """What a request must be allowed to do."""
    if not info.resource:
        return Attributes(info.verb, path=info.path)
    return Attributes(info.verb, info.group, info.version, info.resource, info.subresource, info.name, info.namespace)


class Authorizer:
    """Evaluates RBAC. system:masters may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[tuple[str, tuple[str, ...]], list[Grant]] = {}
        for name in _COLLECTIONS:
            store.collection(name).subscribe(self._forget)

    def _forget(self, _event: Event) -> None:
        self._rules.clear()

    def check(self, user: User, wanted: Attributes) -> None:
        """Raises the 403 that the real server sends."""
        if not self.allows(user, wanted):
            raise denial(user, wanted)

    def allows(self, user: User, wanted: Attributes) -> bool:
        return self.reason(user, wanted) is not None

    def reason(self, user: User, wanted: Attributes) -> str | None:
        """Why the user may do it ("" for a master), None where it is not allowed."""
        if user.is_master:
            return ""
        for namespace, rule, why in self.rules(user):
            if (namespace is None or (namespace == wanted.namespace and wanted.namespace)) and _covers(rule, wanted):
                return f"RBAC: allowed by {why}"
        return None

    def rules(self, user: User) -> list[Grant]:
        """Every rule that holds for a user."""
        key = (user.name, user.groups)
        found = self._rules.get(key)
        if found is None:
            if len(self._rules) >= _USERS_KEPT:
                self._rules.clear()
            found = self._rules[key] = list(self._collect(user))
        return found

    def _collect(self, user: User) -> Iterator[Grant]:
        for entry in self._store.collection(f"{_GROUP}/clusterrolebindings").entries():
            if (subject := _bound_subject(entry.object, user, "")) is not None:
                reference = entry.object["roleRef"]
                why = f'ClusterRoleBinding "{entry.key.name}" of {_described(reference)} to {subject}'
                for rule in self._role(reference, ""):
                    yield Grant(None, rule, why)
        for entry in self._store.collection(f"{_GROUP}/rolebindings").entries():
            namespace = entry.key.namespace
            if (subject := _bound_subject(entry.object, user, namespace)) is not None:
                reference = entry.object["roleRef"]
                why = f'RoleBinding "{entry.key.name}/{namespace}" of {_described(reference)} to {subject}'
                for rule in self._role(reference, namespace):
                    yield Grant(namespace, rule, why)

    def _role(self, reference: dict[str, Any], namespace: str) -> Iterable[Rule]:
        if reference.get("kind") == "Role":
            entry = self._store.collection(f"{_GROUP}/roles").get(ObjectKey(namespace, reference.get("name", "")))
        else:
            entry = self._store.collection(f"{_GROUP}/clusterroles").get(ObjectKey("", reference.get("name", "")))
        if entry is None:
            return ()
        return self._aggregated(entry.object)

    def _aggregated(self, role: Object) -> list[Rule]:
        """A role's rules; those of an aggregating role are gathered here, with or without a controller that does it."""
        rules = list(role.get("rules") or ())
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
        for entry in self._store.collection(f"{_GROUP}/clusterroles").entries() if selectors else ():
            other = entry.object
            if other is role or not any(matches_labels(s, other["metadata"].get("labels")) for s in selectors):
                continue
            # One level is enough for plain roles; admin gathers edit, which gathers view.
            rules += self._aggregated(other) if other.get("aggregationRule") else other.get("rules") or ()
        return rules


def _described(reference: dict[str, Any]) -> str:
    return f'{reference.get("kind")} "{reference.get("name")}"'


def _bound_subject(binding: Object, user: User, namespace: str) -> str | None:
    """Which subject of the binding the user is, in words; None where it is none of them."""
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if (kind == "User" and name == user.name) or (kind == "Group" and name in user.groups):
            return f'{kind} "{name}"'
        if kind == "ServiceAccount":
            place = subject.get("namespace") or namespace
            if place and user.name == service_account_name(place, name):
                return f'{kind} "{name}/{place}"'
    return None


def _covers(rule: Rule, wanted: Attributes) -> bool:
    if not _has(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(_path_matches(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ())
    if not _has(rule.get("apiGroups"), wanted.group):
        return False
    resources = rule.get("resources") or ()
    if not (
        "*" in resources
        or wanted.combined in resources
        or (wanted.subresource and f"*/{wanted.subresource}" in resources)
    ):
        return False
    names = rule.get("resourceNames") or ()
    return not names or wanted.name in names


def _has(listed: Iterable[str] | None, wanted: str) -> bool:
    return any(item in ("*", wanted) for item in listed or ())


def _path_matches(pattern: str, path: str) -> bool:
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def denial(user: User, wanted: Attributes) -> StatusError:
    """The 403 with the words of the real server."""
    if wanted.path:
        message = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return StatusError(403, "Forbidden", message, {}, {"X-Content-Type-Options": "nosniff"})
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {wanted.verb} resource "{wanted.combined}" in API group "{wanted.group}" {where}'
    error = forbidden(GroupResource(wanted.group, wanted.resource), wanted.name, why)
    error.headers["X-Content-Type-Options"] = "nosniff"
    return error
