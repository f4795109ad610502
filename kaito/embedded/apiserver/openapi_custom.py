"""The OpenAPI v3 document of one group version of custom resources, as apiextensions' builder writes it.

What all such documents share (parameters, metadata schemas) is data, recorded from the real server.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping, Sequence
from importlib import resources as files
from typing import Any

import orjson

from kaito.embedded.apiserver.custom_strategy import CustomStrategy
from kaito.embedded.apiserver.resources import Resource

Json = dict[str, Any]
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCALE = "io.k8s.api.autoscaling.v1.Scale"
_BODY_TYPES = ("application/json", "application/yaml")
_PATCH_TYPES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_PATCH = ("dryRun", "fieldManager (patch)", "fieldValidation", "force")
_DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_STATUS_TEXT = {"200": "OK", "201": "Created", "202": "Accepted"}
_SCALE_SCHEMAS = (_SCALE, f"{_SCALE}Spec", f"{_SCALE}Status")


@functools.cache
def _shared() -> Json:
    packed = files.files(__package__).joinpath("data", "openapi-custom.json.gz").read_bytes()
    shared: Json = orjson.loads(gzip.decompress(packed))
    return shared


def custom_document(resources: Sequence[Resource]) -> Json:
    """The document for all custom resources of one group version."""
    paths: Json = {}
    schemas: Json = {name: schema for name, schema in _shared()["schemas"].items() if name not in _SCALE_SCHEMAS}
    for resource in resources:
        name = schema_name(resource)
        schemas[name] = _schema(resource)
        schemas[f"{name}List"] = _list_schema(resource, name)
        if resource.scale is not None:
            schemas |= {scale: _shared()["schemas"][scale] for scale in _SCALE_SCHEMAS}
        paths |= _Paths(resource, name).all()
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def schema_name(resource: Resource) -> str:
    """`dev.test.v1.Widget` for the Widget of test.dev/v1."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind.kind])


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _schema(resource: Resource) -> Json:
    assert isinstance(resource.strategy, CustomStrategy)
    raw: Mapping[str, Any] = resource.strategy.raw_schema
    if raw.get("x-kubernetes-preserve-unknown-fields"):
        schema: Json = {**raw, "type": "object"}
    else:
        properties = {**(raw.get("properties") or {}), **_shared()["properties"]}
        schema = {**raw, "type": "object", "properties": properties}
    gvk = {"group": resource.group, "kind": resource.kind.kind, "version": resource.version}
    return {**schema, "x-kubernetes-group-version-kind": [gvk], **_selectable(resource)}


def _selectable(resource: Resource) -> Json:
    listed = [{"fieldPath": field} for field in resource.fields]
    return {"x-kubernetes-selectable-fields": listed} if listed else {}


def _list_schema(resource: Resource, name: str) -> Json:
    types = _shared()["properties"]
    gvk = {"group": resource.group, "kind": resource.kind.list_kind, "version": resource.version}
    more = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    items = {"description": f"List of {resource.plural}. {more}", "type": "array", "items": _reference(name)}
    return {
        "description": f"{resource.kind.list_kind} is a list of {resource.kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": types["apiVersion"],
            "items": items,
            "kind": types["kind"],
            "metadata": _shared()["listMetadata"],
        },
        "x-kubernetes-group-version-kind": [gvk],
        **_selectable(resource),
    }


class _Paths:
    """The paths of one resource with their operations."""

    def __init__(self, resource: Resource, name: str) -> None:
        self._resource = resource
        self._name = name
        self._kind = resource.kind.kind
        words = resource.group.replace("-", ".").split(".")
        self._group_id = "".join(word[:1].upper() + word[1:] for word in words)
        self._tag = self._group_id[:1].lower() + self._group_id[1:] + "_" + resource.version
        self._version_id = resource.version[:1].upper() + resource.version[1:]
        self._scope = "Namespaced" if resource.namespaced else ""

    def all(self) -> Json:
        resource, kind, name = self._resource, self._kind, self._name
        base = f"{resource.path}/{'namespaces/{namespace}/' if resource.namespaced else ''}{resource.plural}"
        list_text = f"list objects of kind {kind}"
        paths: Json = {
            base: {
                "get": self._operation("list", "list", list_text, f"{name}List", _LIST),
                "post": self._operation(
                    "create", "post", f"create a {kind}", name, _WRITE, ("200", "201", "202"), name
                ),
                "delete": self._operation(
                    "delete", "deletecollection", f"delete collection of {kind}", f"{_META}.Status", _LIST
                ),
                "parameters": self._parameters(*(("namespace",) if resource.namespaced else ()), "pretty"),
            },
            base + "/{name}": {
                "get": self._operation("read", "get", f"read the specified {kind}", name, ("resourceVersion",)),
                "put": self._operation(
                    "replace", "put", f"replace the specified {kind}", name, _WRITE, ("200", "201"), name
                ),
                "delete": self._operation(
                    "delete",
                    "delete",
                    f"delete a {kind}",
                    f"{_META}.Status",
                    _DELETE,
                    ("200", "202"),
                    f"{_META}.DeleteOptions",
                ),
                "patch": self._operation(
                    "patch", "patch", f"partially update the specified {kind}", name, _PATCH, body=f"{_META}.Patch"
                ),
                "parameters": self._named(),
            },
        }
        for subresource in sorted(resource.subresources):
            paths[f"{base}/{{name}}/{subresource}"] = self._subresource(subresource)
        if resource.namespaced:
            everywhere = self._operation("list", "list", list_text, f"{name}List", (), suffix="ForAllNamespaces")
            del everywhere["parameters"]
            order = sorted([*_LIST, "pretty"])
            paths[f"{resource.path}/{resource.plural}"] = {"get": everywhere, "parameters": self._parameters(*order)}
        return paths

    def _subresource(self, subresource: str) -> Json:
        kind = self._kind
        schema = _SCALE if subresource == "scale" else self._name
        suffix = subresource[:1].upper() + subresource[1:]
        what = f"{subresource} of the specified {kind}"
        return {
            "get": self._operation("read", "get", f"read {what}", schema, ("resourceVersion",), suffix=suffix),
            "put": self._operation(
                "replace", "put", f"replace {what}", schema, _WRITE, ("200", "201"), schema, suffix=suffix
            ),
            "patch": self._operation(
                "patch", "patch", f"partially update {what}", schema, _PATCH, body=f"{_META}.Patch", suffix=suffix
            ),
            "parameters": self._named(),
        }

    def _parameters(self, *names: str) -> list[Json]:
        return [_shared()["parameters"][name] for name in names]

    def _named(self) -> list[Json]:
        schema = {"type": "string", "uniqueItems": True}
        own = {"name": "name", "in": "path", "description": f"name of the {self._kind}", "required": True}
        scope = ("namespace",) if self._resource.namespaced else ()
        return [{**own, "schema": schema}, *self._parameters(*scope, "pretty")]

    def _operation(
        self,
        verb: str,
        action: str,
        description: str,
        answer: str,
        parameters: Sequence[str],
        statuses: Sequence[str] = ("200",),
        body: str = "",
        suffix: str = "",
    ) -> Json:
        scope = "" if suffix == "ForAllNamespaces" else self._scope
        collection = "Collection" if action == "deletecollection" else ""
        content = {kind: {"schema": _reference(answer)} for kind in _BODY_TYPES}
        operation: Json = {
            "tags": [self._tag],
            "description": description,
            "operationId": f"{verb}{self._group_id}{self._version_id}{collection}{scope}{self._kind}{suffix}",
            "parameters": self._parameters(*parameters),
        }
        if body:
            kinds = _PATCH_TYPES if action == "patch" else _BODY_TYPES
            operation["requestBody"] = {"content": {kind: {"schema": _reference(body)} for kind in kinds}}
            if action != "delete":
                operation["requestBody"]["required"] = True
        answers: Json = {status: {"description": _STATUS_TEXT[status], "content": content} for status in statuses}
        operation["responses"] = {**answers, "401": {"description": "Unauthorized"}}
        operation["x-kubernetes-action"] = action
        operation["x-kubernetes-group-version-kind"] = {
            "group": self._resource.group,
            "version": self._resource.version,
            "kind": self._kind,
        }
        return operation
