"""OpenAPI documents are complete in themselves."""

from __future__ import annotations

import json
import re

from kaito.embedded.apiserver.kinds.builtin import builtin_kinds
from kaito.embedded.apiserver.schemas.documents import openapi_v2, openapi_v3, openapi_v3_index


def expect_references_resolved(text: str) -> None:
    names = set(re.findall(r'"\$ref":\s?"#/components/schemas/([^"]+)"', text))
    assert names <= set(json.loads(text)["components"].get("schemas", {}))


def test_every_builtin_group_version_has_a_document_whose_references_resolve() -> None:
    index = openapi_v3_index()
    for kind in builtin_kinds():
        assert (f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}") in index
    for path in index:
        expect_references_resolved(openapi_v3(path).decode())


def test_swagger_two_holds_every_definition() -> None:
    document = json.loads(openapi_v2())
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]
    assert "#/components/" not in openapi_v2().decode()
