"""Writes the data files of kaito.embedded.apiserver from a running kube-apiserver and its binary.

Usage: vendor.py SERVER TOKEN BINARY
  SERVER  https address of a kube-apiserver started without extra groups, TOKEN a bearer token in system:masters,
  BINARY  the very program that serves it (its Go type information gives pointers, omitempty and protobuf numbers).
"""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from go_types import Field, GoBinary

TARGET = Path(__file__).resolve().parents[2] / "kaito" / "embedded" / "apiserver"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
# Field selectors are not in the discovery answers: these are tried on every kind.
FIELD_SELECTORS = [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
    "status.successful",
    "status.replicas",
    "spec.unschedulable",
    "spec.clusterIP",
    "spec.type",
    "type",
    "name",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reportingController",
    "spec.signerName",
    "spec.driver",
    "spec.pool.name",
    "status.nodeName",
    "spec.podName",
    "nodeName",
    "driver",
]
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "micro-time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "duration",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "fields",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "raw",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "json",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "schema-or-bool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "schema-or-array",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "schema-or-strings",
}
INTERNAL = [
    f"io.k8s.kubernetes.pkg.apis.{name}"
    for name in (
        "core.PodTemplateSpec",
        "core.ServicePort",
        "core.Taint",
        "core.PersistentVolumeClaimSpec",
        "core.PersistentVolumeSource",
        "rbac.RoleRef",
        "apps.DeploymentStrategy",
        "apps.StatefulSetUpdateStrategy",
        "apps.DaemonSetUpdateStrategy",
        "policy.PodDisruptionBudgetSpec",
    )
]
LIST_MARKS = {
    "x-kubernetes-list-type": "list",
    "x-kubernetes-list-map-keys": "keys",
    "x-kubernetes-map-type": "map",
    "x-kubernetes-patch-strategy": "strategy",
    "x-kubernetes-patch-merge-key": "merge_key",
}


class Server:
    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address.rstrip("/"), token
        self._context = ssl._create_unverified_context()  # noqa: S323  a throw-away server on this machine

    def get(self, path: str, accept: str = "application/json") -> Any:
        request = urllib.request.Request(
            self._address + path, headers={"Authorization": f"Bearer {self._token}", "Accept": accept}
        )
        with urllib.request.urlopen(request, context=self._context) as answer:
            return json.load(answer)

    def accepts(self, path: str) -> bool:
        try:
            self.get(path)
        except urllib.error.HTTPError:
            return False
        return True


def kinds(server: Server) -> dict[str, Any]:
    """Groups in the server's order and one entry per resource, with what its discovery and Table answers say."""
    groups, entries = [], []
    for root in ("api", "apis"):
        for group in server.get(f"/{root}", AGGREGATED)["items"]:
            name = group["metadata"].get("name", "")
            groups.append({"name": name, "versions": [v["version"] for v in group["versions"]]})
            for version in group["versions"]:
                base = f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}"
                legacy = {r["name"]: r for r in server.get(base)["resources"]}
                for resource in version["resources"]:
                    entries.append(_kind(server, base, name, version["version"], resource, legacy))
    return {"groups": groups, "kinds": entries}


def _kind(server: Server, base: str, group: str, version: str, found: dict[str, Any], legacy: Any) -> dict[str, Any]:
    path = f"{base}/{found['resource']}"
    entry = {
        "group": group,
        "version": version,
        "plural": found["resource"],
        "singular": found["singularResource"],
        "kind": found["responseKind"]["kind"],
        "namespaced": found["scope"] == "Namespaced",
        "short_names": found.get("shortNames", []),
        "categories": found.get("categories", []),
        "verbs": found["verbs"],
        "storage_version_hash": legacy[found["resource"]].get("storageVersionHash", ""),
        "subresources": [
            {
                "name": sub["subresource"],
                "group": legacy[f"{found['resource']}/{sub['subresource']}"].get("group", ""),
                "version": legacy[f"{found['resource']}/{sub['subresource']}"].get("version", ""),
                "kind": sub["responseKind"]["kind"],
                "verbs": sub["verbs"],
            }
            for sub in found.get("subresources", [])
        ],
    }
    if "list" in found["verbs"]:
        entry["list_kind"] = server.get(path)["kind"]
        entry["columns"] = server.get(path, TABLE)["columnDefinitions"]
        entry["selectable_fields"] = [f for f in FIELD_SELECTORS if server.accepts(f"{path}?fieldSelector={f}=a")]
    return entry


def openapi(server: Server) -> dict[str, Any]:
    """All OpenAPI v3 documents; definitions that several share are kept once."""
    documents, definitions = {}, {}
    for path, link in server.get("/openapi/v3")["paths"].items():
        document = server.get(link["serverRelativeURL"])
        schemas = document["components"].pop("schemas", {})
        definitions.update(schemas)
        documents[path] = {**document, "schemas": list(schemas)}
    return {"documents": documents, "definitions": definitions}


class TypeTable:
    """Types as a list; a type refers to others by index, so that the file stays small and recursion needs no names."""

    def __init__(self, binary: GoBinary, definitions: dict[str, Any]) -> None:
        self._binary, self._definitions = binary, definitions
        self._addresses = dict(binary.structs())
        self._index: dict[int, int] = {}
        self.types: list[dict[str, Any]] = []

    def definition(self, name: str) -> int:
        return self.add(self._addresses[name])

    def add(self, address: int) -> int:
        if address in self._index:
            return self._index[address]
        self._index[address] = index = len(self.types)
        go = self._binary.type(address)
        entry: dict[str, Any] = {"go": go["name"]}
        self.types.append(entry)
        definition = self._definition_of(address)
        if definition in SPECIAL:
            entry["kind"] = SPECIAL[definition]
        elif go["kind"] == "struct":
            entry["kind"], entry["name"] = "struct", definition
            schema = self._definitions.get(definition, {})
            if schema.get("x-kubernetes-map-type"):
                entry["map"] = schema["x-kubernetes-map-type"]
            entry["fields"] = [self._field(field, schema) for field in go["fields"]]
        elif go["kind"] == "slice" and self._binary.type(go["elem"])["kind"] == "uint8":
            entry["kind"] = "bytes"
        elif go["kind"] in ("ptr", "slice", "map"):
            entry["kind"], entry["elem"] = go["kind"], self.add(go["elem"])
            if go["kind"] == "map":
                entry["key"] = self.add(go["key"])
        else:
            entry["kind"] = go["kind"]
        return index

    def _definition_of(self, address: int) -> str:
        if not hasattr(self, "_names"):
            self._names = {at: name for name, at in self._addresses.items()}
        return self._names.get(address, "")

    def _field(self, field: Field, schema: dict[str, Any]) -> dict[str, Any]:
        json_tag = (field.tag_value("json") or "").split(",")
        name, options = json_tag[0], set(json_tag[1:])
        entry: dict[str, Any] = {"go": field.name, "json": name, "type": self.add(field.type_address)}
        if not name and field.embedded:
            entry["inline"] = 1
        if options & {"omitempty"}:
            entry["omitempty"] = 1
        if options & {"omitzero"}:
            entry["omitzero"] = 1
        if protobuf := field.tag_value("protobuf"):
            wire = protobuf.split(",")
            if wire[0] != "-":
                entry["proto"] = [int(wire[1]), wire[0]]
        marks = schema.get("properties", {}).get(name, {})
        entry.update({short: marks[long] for long, short in LIST_MARKS.items() if long in marks})
        return entry


def types(binary: GoBinary, definitions: dict[str, Any]) -> dict[str, Any]:
    table = TypeTable(binary, definitions)
    kinds_by_name = {}
    for name, schema in definitions.items():
        kinds_by_name[name] = table.definition(name)
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            key = "/".join(filter(None, (gvk["group"], gvk["version"], gvk["kind"])))
            # A few meta kinds (DeleteOptions, WatchEvent) list every group: they are found by definition name.
            if len(schema["x-kubernetes-group-version-kind"]) == 1:
                kinds_by_name[key] = table.definition(name)
    # Some validation messages print the server's internal types, whose JSON names are their Go names.
    for name in INTERNAL:
        kinds_by_name[name] = table.definition(name)
    return {"types": table.types, "names": kinds_by_name}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    text = json.dumps(content, separators=(",", ":"), sort_keys=False)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text + "\n")
    print(path.relative_to(TARGET), path.stat().st_size)


def main() -> None:
    address, token, binary = sys.argv[1:4]
    server = Server(address, token)
    write(TARGET / "kinds" / "data" / "kinds.json.gz", kinds(server))
    documents = openapi(server)
    write(TARGET / "schemas" / "data" / "openapi.json.gz", documents)
    write(TARGET / "schemas" / "data" / "types.json.gz", types(GoBinary(Path(binary)), documents["definitions"]))


if __name__ == "__main__":
    main()
