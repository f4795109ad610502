"""Workspaces as Go's JSON encoder writes them: what Kaito's revision hash is taken over.

Go writes struct fields in the order of their declaration and leaves out the ones that are empty, so the bytes differ
from those of any plain dump. Field order of Kubernetes types: `go_fields.json`; of Kaito's own types: the tables below
(`api/v1beta1/workspace_types.go`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from kaito.kube.quantities import parse_quantity

Fields = Mapping[str, str]

_KAITO_TYPES: Mapping[str, Fields] = {
    "ResourceSpec": {
        "count": "",
        "instanceType": "",
        "labelSelector": "LabelSelector",
        "preferredNodes": "",
        "partition": "PartitionSpec",
    },
    "InferenceSetSpec": {
        "template": "InferenceSetTemplate",
        "replicas": "",
        "nodeCountLimit": "",
        "labelSelector": "LabelSelector",
        "updateStrategy": "StatefulSetUpdateStrategy",
        "autoUpgrade": "AutoUpgrade",
    },
    "InferenceSetTemplate": {
        "metadata": "ObjectMeta",
        "resource": "InferenceSetResource",
        "inference": "InferenceSpec",
    },
    "InferenceSetResource": {"instanceType": "", "partition": "PartitionSpec"},
    "StatefulSetUpdateStrategy": {"type": "", "rollingUpdate": "RollingUpdate"},
    "RollingUpdate": {"partition": "", "maxUnavailable": ""},
    "AutoUpgrade": {"enabled": "", "strategy": "", "maintenanceWindow": "MaintenanceWindow"},
    "MaintenanceWindow": {"schedule": "", "duration": ""},
    "PartitionSpec": {"mode": "", "profile": "", "count": ""},
    "InferenceSpec": {"preset": "PresetSpec", "template": "PodTemplateSpec", "config": "", "adapters": "AdapterSpec"},
    "TuningSpec": {
        "preset": "PresetSpec",
        "method": "",
        "config": "",
        "input": "DataSource",
        "output": "DataDestination",
    },
    "PresetSpec": {"name": "", "accessMode": "", "presetOptions": "PresetOptions"},
    "PresetOptions": {"image": "", "imagePullSecrets": "", "modelAccessSecret": ""},
    "AdapterSpec": {"source": "DataSource", "strength": ""},
    "DataSource": {"name": "", "urls": "", "volumeSource": "VolumeSource", "image": "", "imagePullSecrets": ""},
    "DataDestination": {"volumeSource": "VolumeSource", "image": "", "imagePushSecret": ""},
}
_ALWAYS_WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "PresetSpec": {"presetOptions": {}},
    "Container": {"resources": {}},
    "InitContainer": {"resources": {}},
    "InferenceSetTemplate": {"metadata": {}, "resource": {}, "inference": {}},
    "PodTemplateSpec": {"metadata": {}, "spec": {}},
}
"""Struct-valued fields that Go writes even when the manifest has none."""
_ZERO_LEFT_OUT = frozenset(
    {
        *("hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "hostPort", "generation"),
        *("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
    }
)
"""Fields that are no pointers in Go, so that `false` and 0 are left out."""


@cache
def _types() -> Mapping[str, Fields]:
    text = resources.files("kaito.operator.manifests").joinpath("go_fields.json").read_text(encoding="utf-8")
    return {**json.loads(text), **_KAITO_TYPES}


def go_value(type_name: str, value: Any) -> Any:
    """`value`, of the named type, with its fields in Go's order and without what Go leaves out.

    Fields that the type does not have are dropped, as decoding into the type drops them.
    """
    if value is None:
        return None
    if type_name in ("", "Time", "MicroTime", "IntOrString", "RawExtension", "FieldsV1"):
        return value
    if type_name == "Quantity":
        return canonical_quantity(value)
    if type_name == "map":
        return dict(sorted(value.items()))
    if type_name == "Quantity*map":
        return {key: canonical_quantity(entry) for key, entry in sorted(value.items())}
    if isinstance(value, list):
        return [go_value(type_name, item) for item in value]
    fields = _types().get(type_name)
    if fields is None:
        return value
    value = {**_ALWAYS_WRITTEN.get(type_name, {}), **{key: item for key, item in value.items() if item is not None}}
    written = {}
    for field, field_type in fields.items():
        if field not in value:
            continue
        item = go_value(field_type, value[field])
        empty = item in ("", []) or (item == {} and field_type in ("map", "Quantity*map"))
        if empty or (field in _ZERO_LEFT_OUT and not item):
            continue
        written[field] = item
    return written


def go_text(type_name: str, value: Any) -> str:
    """The text Go's `json.Encoder` writes: compact, HTML-escaped, ended by a newline."""
    text = json.dumps(go_value(type_name, value), separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"


def canonical_quantity(value: Any) -> str:
    """A quantity as Go prints it: the largest suffix of its own kind that keeps a whole number (`1024Gi` is `1Ti`).

    Text that is no quantity is returned as it is; the API server refuses it elsewhere.
    """
    try:
        number = parse_quantity(value)
    except ValueError:
        return str(value)
    text = str(value)
    if text.endswith("i") and abs(number) >= 1024 and number == number.to_integral_value():
        whole, suffix = int(number), ""
        for suffix_next in ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"):
            if whole % 1024:
                break
            whole, suffix = whole // 1024, suffix_next
        return f"{whole}{suffix}"
    scaled, step = number, 0
    if scaled == scaled.to_integral_value():
        while scaled and scaled % 1000 == 0 and step < 6:
            scaled, step = scaled / 1000, step + 1
    else:
        while scaled != scaled.to_integral_value() and step > -3:
            scaled, step = scaled * 1000, step - 1
        scaled = scaled.to_integral_value(rounding="ROUND_CEILING")
    if "e" in text.lower().rstrip("E") and step:
        return f"{int(scaled)}e{3 * step}"
    return f"{int(Decimal(scaled))}{'num'[step + 3] if step < 0 else ['', 'k', 'M', 'G', 'T', 'P', 'E'][step]}"
