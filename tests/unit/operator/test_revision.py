"""The revision hash is Kaito's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.operator.manifests.go_json import canonical_quantity, go_text
from kaito.operator.manifests.revision import controller_revision, workspace_hash
from tests.unit.operator.recordings import case_names, recorded


def test_the_hash_of_kaitos_own_fixture_is_the_same() -> None:
    labels = {"matchLabels": {"workspace.kaito.io/name": "testWorkspace"}}
    workspace = {
        "resource": {"count": 1, "instanceType": "Standard_NV36ads_A10_v5", "labelSelector": labels},
        "inference": {"preset": {"name": "test-model"}},
    }
    assert workspace_hash(workspace) == "79676e4782172441933f628c7f541c81accd0fe88af9588101e2344589f6dbae"


@pytest.mark.parametrize("name", case_names(with_kind="ControllerRevision"))
def test_every_recorded_hash_is_the_same_whatever_order_the_fields_come_in(name: str) -> None:
    for theirs in recorded(name, "ControllerRevision"):
        digest = theirs["metadata"]["annotations"]["workspace.kaito.io/hash"]
        assert workspace_hash(as_stored(theirs["data"])) == digest


@pytest.mark.parametrize("name", case_names(with_kind="ControllerRevision"))
def test_controller_revisions_hold_what_kaitos_hold(name: str) -> None:
    theirs = recorded(name, "ControllerRevision")[0]
    owner = theirs["metadata"]["ownerReferences"][0]
    workspace = {
        "apiVersion": owner["apiVersion"],
        "kind": "Workspace",
        "metadata": {"name": owner["name"], "namespace": theirs["metadata"]["namespace"], "uid": owner["uid"]},
        **as_stored(theirs["data"]),
    }
    ours = controller_revision(workspace, workspace_hash(workspace), 1)
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        theirs["metadata"].pop(field)
    assert ours == theirs
    assert json.dumps(ours["data"]) == json.dumps(theirs["data"]), "field order counts: the hash is taken over it"


def as_stored(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a revision as a server would give the workspace: keys sorted, Go's empty struct not there."""
    plain = json.loads(json.dumps(data, sort_keys=True))
    for part in ("inference", "tuning"):
        preset = (plain.get(part) or {}).get("preset")
        if preset and preset.get("presetOptions") == {}:
            del preset["presetOptions"]
    return dict(plain)


@pytest.mark.parametrize(
    "typed, printed",
    [
        (1, "1"),
        ("1000m", "1"),
        ("1024Gi", "1Ti"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("500m", "500m"),
        ("1.5", "1500m"),
        ("2000", "2k"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("nonsense", "nonsense"),
    ],
)
def test_quantities_print_as_go_prints_them(typed: Any, printed: str) -> None:
    assert canonical_quantity(typed) == printed


def test_go_leaves_out_what_is_empty_and_keeps_pointers() -> None:
    container = {"name": "x", "tty": False, "env": [], "securityContext": {"privileged": False}, "image": ""}
    assert go_text("Container", container) == '{"name":"x","resources":{},"securityContext":{"privileged":false}}\n'


def test_characters_of_html_are_escaped() -> None:
    assert go_text("", "<a & b>") == '"\\u003ca \\u0026 b\\u003e"\n'


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_the_hash_does_not_depend_on_the_order_of_labels(labels: dict[str, str]) -> None:
    backwards = dict(reversed(list(labels.items())))
    assert workspace_hash({"resource": {"labelSelector": {"matchLabels": labels}}}) == workspace_hash(
        {"resource": {"labelSelector": {"matchLabels": backwards}}}
    )
