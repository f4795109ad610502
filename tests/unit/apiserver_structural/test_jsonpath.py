"""JSONPath of printer columns, scale paths and selectable fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.apiserver.structural.jsonpath import PathError, parse

NODE_CLAIM: dict[str, Any] = {
    "metadata": {"labels": {"topology.kubernetes.io/zone": "z1", "a": "b"}},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 2},
            {"type": "Launched", "status": "False", "n": 1},
        ],
        "list": [1, 2, 3],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (r".metadata.labels.topology\.kubernetes\.io/zone", ["z1"]),
        (".metadata.labels['topology.kubernetes.io/zone']", ["z1"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type != "Ready")].status', ["False"]),
        (".status.conditions[?(@.n > 1)].type", ["Ready"]),
        (".status.conditions[?(@.n)].type", ["Ready", "Launched"]),
        (".status.conditions[*].type", ["Ready", "Launched"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Launched"]),
        (".status.list[0:2]", [1, 2]),
        (".status.list[0,2]", [1, 3]),
        ("{.status.list}", [[1, 2, 3]]),
        ("..type", ["Ready", "Launched"]),
        (".metadata.labels.*", ["z1", "b"]),
        (".nowhere.at.all", []),
        (".status.list[7]", []),
    ],
)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    assert parse(path).find(NODE_CLAIM) == found


@pytest.mark.parametrize("path", [".a[", ".a[?(", ".a[?(x==1)]", ".a b", ".a[x]", ".a[?(@.b==c)]"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        parse(path)


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
)


@given(st.text(".ab[]?()@='\"*,:-01\\ <>!", max_size=12), values)
def test_any_text_is_a_path_or_refused(text: str, value: Any) -> None:
    try:
        path = parse(text)
    except PathError:
        return
    assert isinstance(path.find(value), list)
