"""OpenAPI v3 documents of custom group versions.

The paths are the real server's, recorded for a placeholder resource and renamed: kubectl finds the PATCH operations
with `fieldValidation` and their group, version and kind exactly where it looks for them.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterable
from importlib import resources
from typing import Any, Final

import orjson

from kaito.embedded.apiserver.schemas.documents import definition

Json = dict[str, Any]
REFERENCE: Final = "#/components/schemas/"
META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."


@functools.cache
def _patterns() -> Any:
    content = resources.files(__package__).joinpath("data", "custom-openapi.json.gz").read_bytes()
    return orjson.loads(gzip.decompress(content))


def crd_openapi_v3(crds: Iterable[Json], group: str, version: str) -> bytes:
    """The document of one group version. `crds` are CustomResourceDefinitions; those of other groups are passed
    over."""
    paths: Json = {}
    schemas: Json = {}
    shared: set[str] = set()
    for crd in crds:
        spec = crd.get("spec") or {}
        found = next((v for v in spec.get("versions") or () if v.get("name") == version and v.get("served")), None)
        if spec.get("group") != group or found is None:
            continue
        pattern = _patterns()[spec.get("scope", "Namespaced")]
        document = _renamed(pattern, spec, version)
        paths.update(_kept_paths(document["paths"], found))
        schemas.update(_own_schemas(document["own"], spec, found))
        shared.update(pattern["schemas"])
        if not (found.get("subresources") or {}).get("scale"):
            shared -= {name for name in shared if ".autoscaling." in name}
    schemas.update({name: definition(name) for name in shared})
    return orjson.dumps(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": dict(sorted(schemas.items()))},
        }
    )


def _renamed(pattern: Json, spec: Json, version: str) -> Json:
    """The pattern with the placeholder's names replaced by the resource's own."""
    scope, names, group = spec.get("scope", "Namespaced").lower(), spec.get("names") or {}, spec.get("group", "")
    kind, plural = names.get("kind", ""), names.get("plural", "")
    list_kind = names.get("listKind") or f"{kind}List"
    camel = "".join(part[:1].upper() + part[1:] for part in group.split("."))
    text = orjson.dumps({"paths": pattern["paths"], "own": pattern["own"]}).decode()
    replacements = (
        (f"{scope}.placeholder.example", "\1"),
        (f"example.placeholder.{scope}.v7", "\2"),
        (f"{scope.capitalize()}PlaceholderExampleV7", "\3"),
        (f"{scope}PlaceholderExample_v7", "\4"),
        ("/v7/", f"/{version}/"),
        ('"v7"', f'"{version}"'),
        ("PlaceholderList", list_kind),
        ("placeholders", plural),
        ("Placeholder", kind),
        ("\1", group),
        ("\2", ".".join([*reversed(group.split(".")), version])),
        ("\3", camel + version[:1].upper() + version[1:]),
        ("\4", camel[:1].lower() + camel[1:] + f"_{version}"),
    )
    for old, new in replacements:
        text = text.replace(old, new)
    renamed: Json = orjson.loads(text)
    return renamed


def _kept_paths(paths: Json, version: Json) -> Json:
    subresources = version.get("subresources") or {}
    return {
        path: operations
        for path, operations in paths.items()
        if not path.endswith(("/{name}/status", "/{name}/scale")) or path.rsplit("/", 1)[-1] in subresources
    }


def _own_schemas(own: Json, spec: Json, version: Json) -> Json:
    """The kind's schema, with typed apiVersion, kind and metadata, and its list's."""
    kind = (spec.get("names") or {}).get("kind", "")
    out: Json = {}
    for name, placeholder in own.items():
        if not name.endswith(f".{kind}"):
            out[name] = placeholder
            continue
        schema = dict((version.get("schema") or {}).get("openAPIV3Schema") or {})
        typed = {key: placeholder["properties"][key] for key in ("apiVersion", "kind", "metadata")}
        schema["properties"] = {**(schema.get("properties") or {}), **typed}
        schema["x-kubernetes-group-version-kind"] = placeholder["x-kubernetes-group-version-kind"]
        out[name] = {"type": "object", **schema}
    return out
