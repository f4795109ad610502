"""Which paths of built-in resources there are, and their methods: the routes that the real server installs."""

from __future__ import annotations

from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.routing import RequestInfo

_COLLECTION = {"list": "GET", "create": "POST", "deletecollection": "DELETE"}
_ONE = {"get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
_BELOW = {**_ONE, "create": "POST"}
_WITH_A_PATH_BEHIND = ("proxy",)


def methods(info: RequestInfo, resource: Resource) -> frozenset[str]:
    """The HTTP methods that the path takes; none where there is no such path."""
    verbs = resource.kind.verbs
    placed = bool(info.namespace) or not resource.namespaced
    if info.namespace and not resource.namespaced and not _names_itself(info, resource):
        return frozenset()
    if info.watching:
        known = "watch" in verbs and len(info.tail) <= 1 and (placed or not info.tail)
        return frozenset(("GET",) if known else ())
    if not info.tail:
        known_verbs = verbs if placed else tuple(verb for verb in verbs if verb == "list")
        return frozenset(method for verb, method in _COLLECTION.items() if verb in known_verbs)
    if not placed:
        return frozenset()
    if len(info.tail) == 1:
        return frozenset(method for verb, method in _ONE.items() if verb in verbs)
    name = info.tail[1]
    if len(info.tail) > 2 and name not in _WITH_A_PATH_BEHIND:
        return frozenset()
    below = next((sub.verbs for sub in resource.kind.subresource_table if sub.name == name), ())
    handed_on = ("HEAD", "OPTIONS") if name == "proxy" and below else ()
    return frozenset((*(method for verb, method in _BELOW.items() if verb in below), *handed_on))


def _names_itself(info: RequestInfo, resource: Resource) -> bool:
    """Whether the namespace in the path is the Namespace that is asked for."""
    return resource.plural == "namespaces" and not resource.group and info.tail[:1] == (info.namespace,)
