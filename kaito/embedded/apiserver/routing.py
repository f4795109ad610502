"""What a request asks for, read from its method and path alone (k8s.io/apiserver RequestInfo)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kaito.embedded.apiserver.errors import GroupResource, PlainError

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SPECIAL = ("watch", "proxy")
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(slots=True)
class RequestInfo:
    """A request taken apart. For non-resource requests `resource` is "" and `verb` is the lower-case method."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows the subresource (the path for a proxy), without a leading slash."""
    tail: tuple[str, ...] = ()
    """What follows the resource in the path: a name, a subresource, and more."""
    watching: bool = False
    """Whether the path is one of the old ones below `/watch/`."""

    @property
    def group_resource(self) -> GroupResource:
        return GroupResource(self.group, self.resource)


def is_true(text: str | None) -> bool:
    """Whether a query parameter switches something on: all but "0" and "false" does, "" too (`?watch`)."""
    return text is not None and text != "0" and text.lower() != "false"


def read(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """What is no resource path is a non-resource request. Raises the real server's plain 500 for `/api/v1/watch`."""
    parts = path.strip("/").split("/")
    plain = RequestInfo(method.lower(), path)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) < 4:
        return plain
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    info = RequestInfo(_VERBS.get(method, ""), path, group, version)
    if rest[0] in _SPECIAL:  # the old ways to ask for a watch, still served, and for a proxy, gone
        if len(rest) < 2:
            why = f"unable to determine kind and namespace from url, {path}"
            raise PlainError(500, f'Internal Server Error: "{path}": failed to create RequestInfo: {why}\n')
        info.watching = rest[0] == "watch"
        info.verb, rest = rest[0], rest[1:]
    if rest[0] == "namespaces" and len(rest) > 1:
        info.namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    info.resource = rest[0]
    info.tail = tuple(rest[1:])
    info.name = rest[1] if len(rest) > 1 else ""
    info.subresource = rest[2] if len(rest) > 2 else ""
    info.rest = "/".join(rest[3:])
    if method in ("GET", "HEAD") and not info.name and info.verb == "get":
        info.verb = "watch" if is_true(query.get("watch")) else "list"
    elif method == "DELETE" and not info.name and info.verb == "delete":
        info.verb = "deletecollection"
    if info.verb in ("list", "watch", "deletecollection") and not info.name:
        info.name = _selected_name(query.get("fieldSelector") or "")
    return info


def _selected_name(selector: str) -> str:
    """The name that a field selector pins, for authorization (a Role may grant by resourceNames)."""
    for term in selector.split(","):
        field, equals, value = term.partition("=")
        if equals and field == "metadata.name":
            return value.removeprefix("=")
    return ""
