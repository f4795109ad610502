"""Flawed CustomResourceDefinitions: each case sets one value (None removes it) at a path of a sound definition."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
SOUND: Json = {
    "metadata": {"name": "bads.bad.dev"},
    "spec": {
        "group": "bad.dev",
        "scope": "Namespaced",
        "names": {"plural": "bads", "kind": "Bad"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                    }
                },
            }
        ],
    },
}
V = "spec/versions/0/"
SC = V + "schema/openAPIV3Schema/"
SP = SC + "properties/spec/"


def flawed(path: str, value: Any) -> Json:
    """A copy of the sound definition with one value set."""
    crd = copy.deepcopy(SOUND)
    *parents, last = path.split("/")
    holder: Any = crd
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return crd


CASES: list[tuple[str, Any]] = [
    ("metadata/name", "foo"),
    ("spec/group", ""),
    ("spec/group", "Bad_G"),
    ("spec/scope", "Nope"),
    ("spec/scope", None),
    ("spec/names/plural", ""),
    ("spec/names/kind", ""),
    ("spec/names/plural", "Bads"),
    ("spec/names/kind", "bad_kind"),
    ("spec/names/shortNames", ["A_"]),
    ("spec/versions", []),
    (V + "storage", False),
    (V + "name", "V_1"),
    (V + "schema", None),
    (SC + "type", "array"),
    (SC + "type", None),
    (SP + "type", None),
    (SP + "properties/a", {}),
    (SP + "properties/a", {"type": "foo"}),
    (SP + "properties/a", {"type": "string", "pattern": "("}),
    (SP + "properties/a", {"type": "array"}),
    (SP + "properties/a", {"type": "string", "default": 5}),
    (SP + "properties/a", {"type": "object", "additionalProperties": False}),
    (
        SP + "properties/a",
        {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": {"type": "string"}},
    ),
    (SP + "properties/a", {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "map"}),
    (
        SP + "properties/a",
        {
            "type": "array",
            "items": {"type": "object", "properties": {"n": {"type": "string"}}},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["n"],
        },
    ),
    (SP + "properties/a", {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}),
    (SP + "properties/a", {"type": "string", "x-kubernetes-list-type": "set"}),
    (SP + "properties/a", {"$ref": "#/x"}),
    (SP + "properties/a", {"type": "string", "uniqueItems": True}),
    (SP + "x-kubernetes-validations", [{"rule": "self.zz == 1"}]),
    (SP + "x-kubernetes-validations", [{"rule": "self.a ==="}]),
    (SP + "x-kubernetes-validations", [{"rule": ""}]),
    (SP + "x-kubernetes-validations", [{"rule": "self.a"}]),
    (SP + "x-kubernetes-validations", [{"rule": "foo(self.a)"}]),
    (SP + "x-kubernetes-validations", [{"rule": "true", "message": ""}]),
    (SP + "x-kubernetes-validations", [{"rule": "true", "messageExpression": "5"}]),
    (SP + "x-kubernetes-validations", [{"rule": "true", "reason": "Nope"}]),
    (SP + "x-kubernetes-validations", [{"rule": "true", "fieldPath": ".zz"}]),
    (V + "additionalPrinterColumns", [{"name": "A", "type": "foo", "jsonPath": ".x"}]),
    (V + "additionalPrinterColumns", [{"name": "", "type": "string", "jsonPath": ""}]),
    (V + "additionalPrinterColumns", [{"name": "A", "type": "string", "jsonPath": ".x["}]),
    (V + "additionalPrinterColumns", [{"name": "A", "type": "string", "jsonPath": "x"}]),
    (V + "subresources", {"scale": {"specReplicasPath": "", "statusReplicasPath": ".spec.x"}}),
    (V + "subresources", {"scale": {"specReplicasPath": ".status.a", "statusReplicasPath": "status.x"}}),
    (V + "selectableFields", [{"jsonPath": ".spec.zz"}]),
    (V + "selectableFields", [{"jsonPath": "spec.a"}]),
    (V + "selectableFields", [{"jsonPath": ".metadata.name"}]),
    ("spec/conversion", {"strategy": "Nope"}),
    ("spec/conversion", {"strategy": "Webhook"}),
    ("spec/preserveUnknownFields", True),
    (SC + "properties/metadata", {"type": "object", "properties": {"labels": {"type": "object"}}}),
    (SP + "x-kubernetes-preserve-unknown-fields", False),
    (SP + "properties/a", {"type": "integer", "x-kubernetes-int-or-string": True}),
    (SP + "properties/a", {"type": "object", "x-kubernetes-embedded-resource": True}),
    (SP + "anyOf", [{"properties": {"b": {"type": "string"}}}]),
    (SP + "anyOf", [{"properties": {"a": {"minLength": 1, "type": "string"}}}]),
    (SP + "properties/a", {"type": "string", "format": "foo"}),
    ("spec/names/listKind", "Bad"),
    (V + "deprecationWarning", "x"),
]
