"""CustomResourceDefinitions with one flaw each: refused as by a real kube-apiserver 1.34.4."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kaito.embedded.apiserver.kinds import defaults, strategy, validation
from kaito.embedded.apiserver.kinds.builtin import find_kind
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas.decoding import decode
from tests.unit.apiserver_structural.crd_cases import CASES, SOUND, SP, flawed

Json = dict[str, Any]
API, NAME = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
REAL = json.loads((Path(__file__).parent / "data" / "crds-1.34.json").read_text())
SHARED = Path(__file__).resolve().parents[4] / "shared" / "conformance" / "crds"


def causes_of(crd: Json) -> list[Cause]:
    kind = find_kind(API, NAME)
    assert kind is not None
    obj = decode({"apiVersion": API, "kind": NAME, **copy.deepcopy(crd)}, API, NAME, forget=False).object
    return validation.validate_create(kind, strategy.prepare_create(kind, defaults.apply(kind, obj)))


@pytest.mark.parametrize(
    "index", range(len(CASES)), ids=lambda i: f"{CASES[i][0][-30:]}={json.dumps(CASES[i][1])[:50]}"
)
def test_a_flawed_definition_is_refused_in_the_real_words(index: int) -> None:
    path, value = CASES[index]
    found = sorted((cause.field, cause.message, cause.reason) for cause in causes_of(flawed(path, value)))
    assert found == sorted((cause["field"], cause["message"], cause["reason"]) for cause in REAL[index])


def test_a_sound_definition_is_accepted() -> None:
    assert causes_of(SOUND) == []


def test_a_rule_with_a_function_this_server_lacks_fails_the_definition() -> None:
    crd = flawed(SP + "x-kubernetes-validations", [{"rule": "math.greatest(1, 2) == 2"}])
    assert [cause.field.rsplit(".", 1)[-1] for cause in causes_of(crd)] == ["rule"]
    assert "undeclared reference to 'greatest'" in causes_of(crd)[0].message


@pytest.mark.parametrize("name", ["kaito.sh_workspaces", "kaito.sh_inferencesets", "karpenter.sh_nodeclaims"])
def test_the_definitions_of_kaito_and_karpenter_are_accepted(name: str) -> None:
    file = SHARED / f"{name}.yaml"
    if not file.exists():
        pytest.skip("the recorded definitions are not in this checkout")
    crd = yaml.safe_load(file.read_text())
    assert causes_of(crd) == []
