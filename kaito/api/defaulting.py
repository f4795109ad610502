"""The defaults of our CRDs, filled in as the API server does when it reads or writes an object in one version.

Needed where no API server stands in front: dry runs, tests, the scenario loader.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from kaito.api.crds import crd_manifests


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (f"{manifest['spec']['group']}/{version['name']}", manifest["spec"]["names"]["kind"]): version["schema"][
            "openAPIV3Schema"
        ]
        for manifest in crd_manifests()
        for version in manifest["spec"]["versions"]
    }


def apply_defaults(obj: dict[str, Any]) -> dict[str, Any]:
    """A copy of `obj` with the defaults of its apiVersion and kind; objects of other kinds are returned unchanged.

    As in Kubernetes a default is filled in only where its parent is present, and a null counts as absent.
    """
    schema = _schemas().get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    if schema is None:
        return obj
    result = copy.deepcopy(obj)
    _fill(result, schema)
    return result


def _fill(value: Any, schema: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            if value.get(name) is None:
                value.pop(name, None)
                if "default" in field:
                    value[name] = copy.deepcopy(field["default"])
            if name in value:
                _fill(value[name], field)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for item in value.values():
                _fill(item, extra)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _fill(item, schema["items"])
