"""JSON patches of the whole document and odd indexes, as a real kube-apiserver 1.34.4 answers them."""

from __future__ import annotations

from typing import Any

import pytest

from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.json_patch import json_patch

DOC: dict[str, Any] = {"a": {"b": 1}, "list": ["x", "y"]}


@pytest.mark.parametrize(
    ("operation", "patched"),
    [
        ({"op": "replace", "path": "", "value": {"c": 2}}, {"c": 2}),
        ({"op": "replace", "path": "", "value": []}, []),
        ({"op": "replace", "path": "", "value": "no container"}, DOC),
        ({"op": "replace", "path": "", "value": None}, DOC),
        ({"op": "test", "path": "", "value": DOC}, DOC),
        ({"op": "add", "path": "/list/-1", "value": "z"}, {**DOC, "list": ["x", "y", "z"]}),
        ({"op": "add", "path": "/list/-3", "value": "z"}, {**DOC, "list": ["z", "x", "y"]}),
        ({"op": "remove", "path": "/list/-1"}, {**DOC, "list": ["x"]}),
    ],
)
def test_is_patched(operation: dict[str, Any], patched: Any) -> None:
    assert json_patch(DOC, [operation]) == patched


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "", "value": {}},
        {"op": "remove", "path": ""},
        {"op": "move", "path": "", "from": "/a"},
        {"op": "copy", "path": "", "from": "/a"},
        {"op": "copy", "path": "/c", "from": ""},
        {"op": "test", "path": "", "value": {}},
        {"op": "replace", "path": "a", "value": {}},
        {"op": "add", "path": "/list/-4", "value": "z"},
    ],
)
def test_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as refused:
        json_patch(DOC, [operation])
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")


def test_a_path_that_is_no_text_cannot_be_read() -> None:
    with pytest.raises(PatchError) as refused:
        json_patch(DOC, [{"op": "add", "path": 3}])
    assert refused.value.status == 400
    assert refused.value.message == (
        "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string"
    )
