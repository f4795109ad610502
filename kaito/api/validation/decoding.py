"""Pod templates and volumes inside a Workspace: the CRD lets any JSON through, Kaito's webhook decodes it strictly.

Reproduced: unknown fields, values of the wrong JSON type, and malformed quantities, with the words of Go's decoder
(which matches field names without regard to case). Kubernetes' further validation comes when the pod is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from kaito.api.quantity import QuantityError, parse_quantity

PREFIX = "decoding request failed: cannot decode incoming new object: "
_GO_TYPES = {"s": "string", "i": "int32", "f": "float64", "b": "bool", "t": "v1.Time", "o": "interface {}"}
_WANTED: dict[str, tuple[type, ...]] = {"s": (str,), "i": (int,), "f": (int, float), "b": (bool,), "t": (str,)}


class DecodingError(ValueError):
    """The object cannot be decoded; the message is what the webhook answers, without its name."""

    def __init__(self, text: str) -> None:
        super().__init__(PREFIX + text)


@cache
def _types() -> dict[str, dict[str, str]]:
    text = (resources.files("kaito.api.validation") / "data" / "pod_types.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["types"])


def check_decoding(obj: Mapping[str, Any]) -> None:
    """Raise DecodingError when a pod template or volume source of a Workspace or InferenceSet does not decode."""
    template = (obj.get("spec") or {}).get("template") if obj.get("kind") == "InferenceSet" else None
    if template:
        _check(template.get("metadata"), "ObjectMeta", struct="InferenceSetTemplate", path="spec.template.metadata")
    for struct, path, kind, value in _embedded(template or obj):
        _check(value, kind, struct=struct, path=f"spec.template.{path}" if template else path)


def _embedded(workspace: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """(Go struct that holds the field, path, type, value) of every schemaless field that is set."""
    inference = workspace.get("inference") or {}
    if inference.get("template") is not None:
        yield "InferenceSpec", "inference.template", "PodTemplateSpec", inference["template"]
    for adapter in inference.get("adapters") or ():
        volume = ((adapter or {}).get("source") or {}).get("volumeSource")
        if volume is not None:
            yield "DataSource", "inference.adapters.source.volumeSource", "VolumeSource", volume
    tuning = workspace.get("tuning") or {}
    for side, struct in (("input", "DataSource"), ("output", "DataDestination")):
        volume = (tuning.get(side) or {}).get("volumeSource")
        if volume is not None:
            yield struct, f"tuning.{side}.volumeSource", "VolumeSource", volume


def _check(value: Any, kind: str, *, struct: str, path: str) -> None:
    if value is None or kind == "o":
        return
    if kind in {"q", "x"}:
        _check_free(value, kind, struct, path)
    elif kind.startswith("["):
        _expect(value, list, kind, struct, path)
        for item in value:
            _check(item, kind[1:], struct=struct, path=path)
    elif kind.startswith("{"):
        _expect(value, dict, kind, struct, path)
        for item in value.values():
            _check(item, kind[1:], struct=struct, path=path)
    elif kind in _WANTED:
        if not isinstance(value, _WANTED[kind]) or (isinstance(value, bool) and kind != "b"):
            raise _mismatch(value, kind, struct, path)
    else:
        _expect(value, dict, kind, struct, path)
        _check_struct(value, kind, path)


def _check_struct(value: Mapping[str, Any], kind: str, path: str) -> None:
    fields = _types()[kind]
    by_lower = {name.lower(): name for name in fields}
    for name, item in value.items():
        known = name if name in fields else by_lower.get(name.lower())
        if known is None:
            raise DecodingError(f'json: unknown field "{name}"')
        _check(item, fields[known], struct=kind, path=f"{path}.{known}")


def _check_free(value: Any, kind: str, struct: str, path: str) -> None:
    if isinstance(value, (dict, list, bool)):
        raise _mismatch(value, kind, struct, path)
    if kind == "q":
        try:
            parse_quantity(str(value))
        except QuantityError as error:
            raise DecodingError(str(error)) from error


def _expect(value: Any, wanted: type, kind: str, struct: str, path: str) -> None:
    if not isinstance(value, wanted):
        raise _mismatch(value, kind, struct, path)


def _mismatch(value: Any, kind: str, struct: str, path: str) -> DecodingError:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return DecodingError(
        f"json: cannot unmarshal {names[type(value)]} into Go struct field {struct}.{path} of type {_go_type(kind)}"
    )


def _go_type(kind: str) -> str:
    if kind.startswith("["):
        return "[]" + _go_type(kind[1:])
    if kind.startswith("{"):
        return "map[string]" + _go_type(kind[1:])
    special = {"q": "resource.Quantity", "x": "intstr.IntOrString"}
    return special.get(kind) or _GO_TYPES.get(kind) or f"v1.{kind}"
