"""Checks of x-kubernetes-list-type, -list-map-keys and -map-type."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural.internal_schema import internal

Json = dict[str, Any]


def check_lists(schema: Json, path: str) -> list[Cause]:
    """The keywords at one place."""
    causes: list[Cause] = []
    map_type, list_type = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-type")
    keys, items = schema.get("x-kubernetes-list-map-keys") or [], schema.get("items")
    if map_type is not None and map_type not in ("atomic", "granular"):
        causes.append(not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    here = f"{path}.x-kubernetes-list-type"
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        causes.append(not_supported(here, list_type, ("atomic", "set", "map")))
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        causes.append(required(here, detail) if list_type is None else invalid(here, list_type, detail))
    if list_type != "map":
        return causes
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        causes.append(required(f"{path}.x-kubernetes-list-map-keys", detail))
    if items is None:
        causes.append(required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
    if isinstance(items, list):
        shown = {"Schema": None, "JSONSchemas": [internal(item) for item in items] or None}
        detail = "must only have a single schema if x-kubernetes-list-type is map"
        return [*causes, invalid(f"{path}.items", shown, detail)]
    if items is None:
        return causes
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        return [*causes, invalid(f"{path}.items.type", items.get("type") or "", detail)]
    return causes + _check_keys(keys, items, path)


def _check_keys(keys: list[str], items: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            detail = "entries must all be names of item properties"
            causes.append(invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail))
        elif properties[key].get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            causes.append(invalid(f"{path}.items.properties[{key}].type", items["type"], detail))
        if key in keys[:index]:
            causes.append(invalid(f"{path}.x-kubernetes-list-map-keys", keys, "must not contain duplicate entries"))
    return causes


def check_list_keys(schema: Json, path: str) -> list[Cause]:
    """Items of sets and keys of maps: never null, and always there."""
    items = schema.get("items")
    if not isinstance(items, dict):
        return []
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return _check_items_of_set(items, path)
        case "map":
            return _check_keys_of_map(schema, items, path)
    return []


def _check_items_of_set(items: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if items.get("nullable"):
        detail = "cannot be nullable when x-kubernetes-list-type is set"
        causes.append(forbidden(f"{path}.items.nullable", detail))
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    map_type, list_type = items.get("x-kubernetes-map-type"), items.get("x-kubernetes-list-type")
    if items.get("type") == "object" and map_type != "atomic":
        causes.append(invalid(f"{path}.items.x-kubernetes-map-type", map_type, detail))
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        causes.append(invalid(f"{path}.items.x-kubernetes-list-type", list_type, detail))
    return causes


def _check_keys_of_map(schema: Json, items: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    properties, needed = items.get("properties") or {}, items.get("required") or ()
    if items.get("nullable"):
        detail = "cannot be nullable when x-kubernetes-list-type is map"
        causes.append(forbidden(f"{path}.items.nullable", detail))
    for key in schema.get("x-kubernetes-list-map-keys") or ():
        found = properties.get(key)
        if found is None:
            continue
        reason = "this property is in x-kubernetes-list-map-keys, so it"
        if found.get("nullable"):
            causes.append(forbidden(f"{path}.items.properties[{key}].nullable", f"{reason} cannot be nullable"))
        if key not in needed and found.get("default") is None:
            detail = f"{reason} must have a default or be a required property"
            causes.append(required(f"{path}.items.properties[{key}].default", detail))
    return causes
