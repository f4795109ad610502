"""OpenAPI documents are complete in themselves."""

from __future__ import annotations

import json
import re

import yaml

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.protobuf.wire import fields
from kaito.embedded.apiserver.schemas.documents import openapi_v3, openapi_v3_index
from kaito.embedded.apiserver.schemas.swagger import openapi_v2, openapi_v2_protobuf


def expect_references_resolved(text: str) -> None:
    names = set(re.findall(r'"\$ref":\s?"#/components/schemas/([^"]+)"', text))
    assert names <= set(json.loads(text)["components"].get("schemas", {}))


def test_every_builtin_group_version_has_a_document_whose_references_resolve() -> None:
    index = openapi_v3_index()
    for kind in builtin_kinds():
        assert (f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}") in index
    for path in index:
        expect_references_resolved(openapi_v3(path).decode())


def test_swagger_two_holds_every_definition_and_operation() -> None:
    document = json.loads(openapi_v2())
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]
    assert "#/components/" not in openapi_v2().decode()
    patch = document["paths"]["/api/v1/namespaces/{name}"]["patch"]
    assert patch["parameters"][0]["schema"] == {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch"}
    assert "application/apply-patch+yaml" in patch["consumes"]
    port = document["definitions"]["io.k8s.api.core.v1.ServicePort"]["properties"]
    assert port["targetPort"]["$ref"] == "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert document["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["type"] == "string"
    assert "default" not in port["port"]


def children(message: bytes, number: int) -> list[bytes]:
    return [value for field, _, value in fields(message) if field == number and isinstance(value, bytes)]


def test_swagger_two_in_protobuf_tells_kubectl_which_operations_validate_fields() -> None:
    (paths,) = children(openapi_v2_protobuf(), 8)
    items = {children(path, 1)[0].decode(): children(path, 2)[0] for path in children(paths, 2)}
    assert items.keys() == json.loads(openapi_v2())["paths"].keys()
    (patch,) = children(items["/api/v1/namespaces/{name}"], 8)
    assert children(patch, 5) == [b"patchCoreV1Namespace"]
    extensions = {children(each, 1)[0]: children(children(each, 2)[0], 2)[0] for each in children(patch, 13)}
    kind = yaml.safe_load(extensions[b"x-kubernetes-group-version-kind"])
    assert kind == {"group": "", "version": "v1", "kind": "Namespace"}
    queries = [query for each in children(patch, 8) for query in children(children(children(each, 1)[0], 2)[0], 3)]
    assert b"fieldValidation" in [children(query, 4)[0] for query in queries]
