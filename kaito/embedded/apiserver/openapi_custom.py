"""The OpenAPI v3 document of one group version of custom resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaito.embedded.apiserver.custom_strategy import CustomStrategy
from kaito.embedded.apiserver.resources import Resource

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    "schemas to the latest internal value, and may reject unrecognized values. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    "endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_METADATA = (
    "Standard object's metadata. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_BODY_TYPES = ("application/json", "application/yaml")
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_LIST_PARAMETERS = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)


def custom_document(resources: Sequence[Resource]) -> dict[str, Any]:
    """A document that `kubectl apply` (validation) and `kubectl explain` can work with."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = dict(_meta_schemas())
    for resource in resources:
        name = schema_name(resource)
        schemas[name] = _schema(resource)
        schemas[f"{name}List"] = _list_schema(resource, name)
        _add_paths(paths, resource, name)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def schema_name(resource: Resource) -> str:
    """`dev.test.v1.Widget` for the Widget of test.dev/v1."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind.kind])


def _gvk(resource: Resource, suffix: str = "") -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind.kind + suffix, "version": resource.version}


def _schema(resource: Resource) -> dict[str, Any]:
    assert isinstance(resource.strategy, CustomStrategy)
    raw: Mapping[str, Any] = resource.strategy.raw_schema
    properties = {
        "apiVersion": {"type": "string", "description": _API_VERSION},
        "kind": {"type": "string", "description": _KIND},
        **(raw.get("properties") or {}),
        "metadata": {"description": _METADATA, "allOf": [{"$ref": f"#/components/schemas/{_META}.ObjectMeta"}]},
    }
    schema = {**raw, "type": "object", "properties": properties}
    return {**schema, "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _list_schema(resource: Resource, name: str) -> dict[str, Any]:
    return {
        "description": f"{resource.kind.list_kind} is a list of {resource.kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "kind": {"type": "string", "description": _KIND},
            "metadata": {"allOf": [{"$ref": f"#/components/schemas/{_META}.ListMeta"}]},
        },
        "x-kubernetes-group-version-kind": [_gvk(resource, "List")],
    }


def _query(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _operation(
    resource: Resource, action: str, answer: str, parameters: Sequence[str], body: Sequence[str] = (), schema: str = ""
) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{answer}"}}
    operation: dict[str, Any] = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
        "responses": {"200": {"description": "OK", "content": {"application/json": content}}},
    }
    listed = [_query(name) for name in parameters]
    if action in ("list", "deletecollection"):
        listed += [_query(name, kind) for name, kind in _LIST_PARAMETERS]
    if action == "patch":
        listed.append(_query("force", "boolean"))
    operation["parameters"] = listed
    if body:
        reference = {"$ref": f"#/components/schemas/{schema or answer}"}
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": reference} for kind in body}}
    return operation


def _add_paths(paths: dict[str, Any], resource: Resource, name: str) -> None:
    base = f"{resource.path}/{'namespaces/{namespace}/' if resource.namespaced else ''}{resource.plural}"
    patch = f"{_META}.Patch"
    if resource.namespaced:
        paths[f"{resource.path}/{resource.plural}"] = {"get": _operation(resource, "list", f"{name}List", ())}
    paths[base] = {
        "get": _operation(resource, "list", f"{name}List", ()),
        "post": _operation(resource, "post", name, _WRITE_PARAMETERS, _BODY_TYPES),
        "delete": _operation(resource, "deletecollection", f"{_META}.Status", ()),
    }
    paths[base + "/{name}"] = {
        "get": _operation(resource, "get", name, ("resourceVersion",)),
        "put": _operation(resource, "put", name, _WRITE_PARAMETERS, _BODY_TYPES),
        "delete": _operation(resource, "delete", f"{_META}.Status", ("dryRun", "propagationPolicy")),
        "patch": _operation(resource, "patch", name, _WRITE_PARAMETERS, _PATCH_TYPES, patch),
    }
    if "status" in resource.subresources:
        paths[base + "/{name}/status"] = {
            "get": _operation(resource, "get", name, ("resourceVersion",)),
            "put": _operation(resource, "put", name, _WRITE_PARAMETERS, _BODY_TYPES),
            "patch": _operation(resource, "patch", name, _WRITE_PARAMETERS, _PATCH_TYPES, patch),
        }


def _meta_schemas() -> dict[str, Any]:
    text = {"type": "string"}
    texts = {"type": "object", "additionalProperties": text}
    owner = {
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
            "apiVersion": text,
            "kind": text,
            "name": text,
            "uid": text,
            "controller": {"type": "boolean"},
            "blockOwnerDeletion": {"type": "boolean"},
        },
        "x-kubernetes-map-type": "atomic",
    }
    meta = {
        "type": "object",
        "description": "ObjectMeta is metadata that all persisted resources must have.",
        "properties": {
            "annotations": texts,
            "creationTimestamp": {"type": "string", "format": "date-time"},
            "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
            "deletionTimestamp": {"type": "string", "format": "date-time"},
            "finalizers": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
            "generateName": text,
            "generation": {"type": "integer", "format": "int64"},
            "labels": texts,
            "managedFields": {"type": "array", "items": {"type": "object"}},
            "name": text,
            "namespace": text,
            "ownerReferences": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{_META}.OwnerReference"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
            },
            "resourceVersion": text,
            "selfLink": text,
            "uid": text,
        },
    }
    listed = {
        "type": "object",
        "properties": {
            "continue": text,
            "remainingItemCount": {"type": "integer", "format": "int64"},
            "resourceVersion": text,
            "selfLink": text,
        },
    }
    status = {
        "type": "object",
        "properties": {"code": {"type": "integer"}, "message": text, "reason": text, "status": text},
    }
    return {
        f"{_META}.ListMeta": listed,
        f"{_META}.ObjectMeta": meta,
        f"{_META}.OwnerReference": owner,
        f"{_META}.Patch": {"type": "object", "description": "Patch is provided to give a concrete name and type."},
        f"{_META}.Status": status,
    }
