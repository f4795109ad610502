"""OpenAPI documents: complete in themselves, and what kubectl looks for is in them."""

from __future__ import annotations

import json
import re

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.schemas.custom_documents import crd_openapi_v3
from kaito.embedded.apiserver.schemas.documents import openapi_v2, openapi_v3, openapi_v3_index

CRD = {
    "spec": {
        "group": "kaito.sh",
        "scope": "Namespaced",
        "names": {"plural": "workspaces", "kind": "Workspace", "listKind": "WorkspaceList"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"tuning": {"type": "object"}}}},
                "subresources": {"status": {}},
            }
        ],
    }
}


def expect_references_resolved(text: str) -> None:
    names = set(re.findall(r'"\$ref":\s?"#/components/schemas/([^"]+)"', text))
    assert names <= set(json.loads(text)["components"].get("schemas", {}))


def test_every_builtin_group_version_has_a_document_whose_references_resolve() -> None:
    index = openapi_v3_index()
    for kind in builtin_kinds():
        assert (f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}") in index
    for path in index:
        expect_references_resolved(openapi_v3(path).decode())


def test_a_custom_document_has_the_patch_operation_that_kubectl_looks_for() -> None:
    text = crd_openapi_v3([CRD], "kaito.sh", "v1beta1").decode()
    expect_references_resolved(text)
    document = json.loads(text)
    patch = document["paths"]["/apis/kaito.sh/v1beta1/namespaces/{namespace}/workspaces/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "kaito.sh", "version": "v1beta1", "kind": "Workspace"}
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert "placeholder" not in text.lower()
    assert not any(path.endswith("/scale") for path in document["paths"])
    schema = document["components"]["schemas"]["sh.kaito.v1beta1.Workspace"]
    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "tuning"}


def test_swagger_two_holds_every_definition() -> None:
    document = json.loads(openapi_v2())
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]
    assert "#/components/" not in openapi_v2().decode()
